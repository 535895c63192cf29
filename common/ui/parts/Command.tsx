// A command to copy. Browsers give no clipboard to a page on plain http, so a tap selects the text instead.

import { useRef } from 'preact/hooks';

export function Command({ text, hint }: { text: string; hint: string }) {
  const code = useRef<HTMLElement>(null);
  const select = () => code.current && getSelection()?.selectAllChildren(code.current);
  return (
    <p class="command">
      <button type="button" class="command-text" onClick={select}><code ref={code}>{text}</code></button>
      <small>{hint}</small>
    </p>
  );
}
