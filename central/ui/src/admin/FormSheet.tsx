// A form over the page. What the server refuses stays in it, in the server's words, until it is mended or given up.

import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { Problem } from '../../../../common/ui/api';
import { Sheet } from '../../../../common/ui/parts/Sheet';
import { t } from '../i18n';
import { problemWords } from '../parts/Empty';

interface Props {
  title: string;
  id: string;
  /** On the button that does it. */
  word: string;
  close: () => void;
  /** Throws what the server refuses. */
  act: () => Promise<unknown>;
  children?: ComponentChildren;
}

export function FormSheet({ title, id, word, close, act, children }: Props) {
  const failed = useSignal('');
  const busy = useSignal(false);
  const send = async (event: Event) => {
    event.preventDefault();
    if (busy.value) return;
    [busy.value, failed.value] = [true, ''];
    try {
      await act();
    } catch (error) {
      failed.value = problemWords(error as Problem);
    } finally {
      busy.value = false;
    }
  };
  return (
    <Sheet title={title} id={id} close={close}>
      <form class="sheet-form" onSubmit={(event) => void send(event)}>
        {children}
        {failed.value && <p class="wrong" role="alert" data-testid="refused">{failed.value}</p>}
        <div class="buttons">
          <button class="primary" disabled={busy.value} data-action="do">{word}</button>
          <button type="button" onClick={close}>{t.value.shell.cancel}</button>
        </div>
      </form>
    </Sheet>
  );
}
