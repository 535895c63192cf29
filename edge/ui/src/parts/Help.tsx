// Which keys do what.

import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { helping } from '../selection';

export function Help() {
  return helping.value ? <Keys /> : null;
}

function Keys() {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => box.current?.showModal(), []);
  const { keyHelp } = t.value;
  const keys = [['j', keyHelp.j], ['k', keyHelp.k], ['Enter', keyHelp.enter], ['a', keyHelp.a], ['s', keyHelp.s], ['/', keyHelp.slash], ['?', keyHelp.question], ['Esc', keyHelp.escape]] as const;
  return (
    <dialog ref={box} class="sheet" aria-labelledby="help-title" onClose={() => (helping.value = false)} data-testid="help">
      <h2 id="help-title">{t.value.keys}</h2>
      <dl class="keys">{keys.map(([key, what]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>)}</dl>
      <div class="buttons"><button onClick={() => box.current?.close()}>{t.value.close}</button></div>
    </dialog>
  );
}
