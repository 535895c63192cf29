document.getElementById("page")!.textContent="SmartPick";import "./style.css";
