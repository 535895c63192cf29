// A command to copy. Browsers give no clipboard to a page on plain http, so a tap selects the text instead.

import { useRef } from 'preact/hooks';
import { t } from '../i18n';

export function Command({ text }: { text: string }) {
  const code = useRef<HTMLElement>(null);
  const select = () => code.current && getSelection()?.selectAllChildren(code.current);
  return (
    <p class="command">
      <button class="command-text" onClick={select}><code ref={code}>{text}</code></button>
      <small>{t.value.selectHint}</small>
    </p>
  );
}
