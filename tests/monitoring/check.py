"""What is shipped for monitoring must fit what there is: alert rules and dashboards name only metrics and labels that a running
system has, every expression can be read, every alert has its section in the runbook.

Run by `make test-monitoring`: PYTHON/bin/python tests/monitoring/check.py PROMTOOL STACK
"""

import json
import pathlib
import re
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).parents[2] / "packaging"
# Looks at sites and edges are made every few seconds.
WITHIN = 60
METRIC = re.compile(r"\bsmartpick_\w+")
SELECTOR = re.compile(r"\b(smartpick_\w+)\{([^}]*)\}")
LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
# Prometheus adds these.
ADDED = {"instance", "job", "le"}


def alert_rules():
    """Of our own file, so that no YAML reader is needed: each rule with its parts."""
    text = (ROOT / "prometheus/alerts.yml").read_text()
    return [rule for rule in text.split("      - alert: ")[1:]]


def expressions(dashboard):
    """The expressions of its panels and variables."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


def scrape(url, authority=None):
    """The series of a binary: for each name, the labels that it has."""
    series = {}
    trust = ssl.create_default_context(cafile=authority) if authority else None
    with urllib.request.urlopen(f"{url}/metrics", context=trust) as answer:
        for line in answer.read().decode().splitlines():
            if line and not line.startswith("#"):
                name = re.match(r"\w+", line).group()
                series.setdefault(name, set()).update(re.findall(r'(\w+)="', line))
    return series


def told(text, series):
    """What a text names that there is not."""
    wrong = [f"there is no metric {name}" for name in METRIC.findall(text) if name not in series]
    for name, inside in SELECTOR.findall(text):
        for label in set(LABEL.findall(inside)) - series.get(name, set()) - ADDED:
            wrong.append(f"{name} has no label {label}")
    return wrong


def unreadable(promtool, exprs):
    """What promtool says of expressions, written as rules."""
    for name, value in (("$__rate_interval", "5m"), ("$site", "x"), ("$instance", "x")):
        exprs = [expr.replace(name, value) for expr in exprs]
    rules = [{"record": f"checked:{index}", "expr": expr} for index, expr in enumerate(exprs)]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        # JSON is YAML.
        json.dump({"groups": [{"name": "checked", "rules": rules}]}, file)
        file.flush()
        done = subprocess.run([promtool, "check", "rules", file.name], text=True, capture_output=True)
    return [] if done.returncode == 0 else [done.stdout + done.stderr]


def main():
    promtool, program = sys.argv[1:]
    faults = []
    for words in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]):
        subprocess.run([promtool, *words], cwd=ROOT / "prometheus", check=True)
    headings = re.findall(r"^## (.*)$", (ROOT / "RUNBOOK.md").read_text(), re.M)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    tests = (ROOT / "prometheus/alerts.test.yml").read_text()
    texts = {}
    for rule in alert_rules():
        name = rule.split("\n")[0]
        texts[f"alert {name}"] = rule
        anchor = re.search(r"runbook_url: RUNBOOK.md#(\S+)", rule)
        if not anchor or anchor.group(1) not in anchors:
            faults.append(f"alert {name} has no section in RUNBOOK.md")
        if f"alertname: {name}\n" not in tests:
            faults.append(f"alert {name} is never seen to come in alerts.test.yml")
    exprs = []
    for file in sorted((ROOT / "grafana").glob("*.json")):
        dashboard = json.loads(file.read_text())
        kinds = [variable["type"] for variable in dashboard["templating"]["list"]]
        if "datasource" not in kinds or "query" not in kinds or dashboard["schemaVersion"] < 36:
            faults.append(f"{file.name} lacks a variable for the datasource or what to look at, or is of an old schema")
        for title, expr in expressions(dashboard):
            texts[f"{file.name}, {title}: {expr}"] = expr
            if not expr.startswith("label_values("):
                exprs.append(expr)
    faults += unreadable(promtool, exprs)

    # Certificates have an alert of their own.
    stack = subprocess.Popen([program, "--certificates"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        ready = json.loads(stack.stdout.readline())
        edge, central = ready["edges"][0], ready["central"][0]
        headers = {"Authorization": f"Bearer {edge['camera_token']}", "Content-Type": "application/json"}
        # An event that is refused and one that goes all the way, so that there is a series for each.
        for path, body in (("ergonomics/test", b""), ("ergonomics", b"{}")):
            request = urllib.request.Request(f"{edge['url']}/ingestion/{path}", body, headers, method="POST")
            try:
                urllib.request.urlopen(request).close()
            except urllib.error.HTTPError as error:
                assert error.code == 422, error
        end = time.monotonic() + WITHIN
        while True:
            series = scrape(edge["url"]) | scrape(central["url"], ready["central_authority"])
            wrong = [f"{where}: {what}" for where, text in texts.items() for what in told(text, series)]
            if not wrong or time.monotonic() > end:
                break
            time.sleep(1)
    finally:
        # Its end of stdin is how it is told to go.
        stack.stdin.close()
        stack.wait(timeout=60)
    for fault in faults + wrong:
        print(fault, file=sys.stderr)
    if faults or wrong:
        sys.exit(1)
    print(f"{len(texts)} expressions name {len(set(METRIC.findall(' '.join(texts.values()))))} metrics, and all are there.")


if __name__ == "__main__":
    main()
