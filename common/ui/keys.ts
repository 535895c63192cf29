// Hands on a keyboard: single keys mean something unless somebody writes, or something lies over the page.

/** `act` says whether the key meant something. */
export function startKeys(act: (key: string, target: HTMLElement) => boolean): void {
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    if (target.matches('input, select, textarea')) {
      if (event.key === 'Escape') target.blur();
      return;
    }
    if (document.querySelector('dialog[open]')) return;
    if (act(event.key, target)) event.preventDefault();
  });
}
