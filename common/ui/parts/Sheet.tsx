// What lies over the page: the browser's own dialog, which keeps the focus inside, closes on Escape and gives the focus
// back to where it was.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface Props {
  title: string;
  /** Unique on the page. */
  id: string;
  close: () => void;
  children: ComponentChildren;
}

export function Sheet({ title, id, close, children }: Props) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => box.current?.showModal(), []);
  return (
    <dialog ref={box} class="sheet" aria-labelledby={`${id}-title`} onClose={close} data-testid={id}>
      <h2 id={`${id}-title`}>{title}</h2>
      {children}
    </dialog>
  );
}

/** A few answers, each a thumb wide. */
export function Choices<T extends string | number>(props: { legend: string; name: string; value: T; options: [T, string][]; set: (value: T) => void }) {
  return (
    <fieldset>
      <legend>{props.legend}</legend>
      <div class="choices">
        {props.options.map(([own, text]) => (
          <label key={own} class={own === props.value ? 'chosen' : ''}>
            <input type="radio" name={props.name} checked={own === props.value} onChange={() => props.set(own)} />
            {text}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** Which keys do what. */
export function KeysSheet({ title, keys, closeWord, close }: { title: string; keys: readonly (readonly [string, string])[]; closeWord: string; close: () => void }) {
  return (
    <Sheet title={title} id="help" close={close}>
      <dl class="keys">{keys.map(([key, what]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>)}</dl>
      <form method="dialog" class="buttons"><button>{closeWord}</button></form>
    </Sheet>
  );
}
