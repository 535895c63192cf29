// Who it was: asked with a reason, and recorded before it is shown. Nothing of it stays on the page when the sheet is
// closed.

import { useSignal } from '@preact/signals';
import { get, Problem } from '../../../../common/ui/api';
import { Sheet } from '../../../../common/ui/parts/Sheet';
import { t } from '../i18n';
import { ask } from '../load';
import type { Alert } from '../wire';
import { problemWords } from './Empty';

export function WhoSheet({ alert, close }: { alert: Alert; close: () => void }) {
  const [reason, answer, failed, busy] = [useSignal(''), useSignal<{ worker_id: string | null } | null>(null), useSignal(''), useSignal(false)];
  const words = t.value.alerts;
  const submit = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    try {
      answer.value = await get(ask(`/api/v1/alerts/${alert.alert_id}/person`, { reason: reason.value.trim(), warehouse_id: alert.warehouse_id }));
      failed.value = '';
    } catch (error) {
      failed.value = error instanceof Problem ? problemWords(error) : String(error);
    }
    busy.value = false;
  };
  return (
    <Sheet title={words.whoWasIt} id="who" close={close}>
      {answer.value ? (
        <>
          <p role="status">{answer.value.worker_id === null ? words.whoNobody : <>{words.whoIs}: <strong class="id" data-testid="worker">{answer.value.worker_id}</strong></>}</p>
          <div class="buttons"><button onClick={close}>{t.value.shell.close}</button></div>
        </>
      ) : (
        <form onSubmit={(event) => void submit(event)}>
          <p>{words.whoExplain}</p>
          <label>
            <span>{words.whoReason}</span>
            <input name="reason" required minLength={3} maxLength={500} autofocus value={reason.value} onInput={(event) => (reason.value = event.currentTarget.value)} />
          </label>
          {failed.value && <p class="wrong" role="alert">{t.value.shell.failed(failed.value)}</p>}
          <div class="buttons">
            <button class="primary" disabled={busy.value || reason.value.trim().length < 3}>{words.whoAsk}</button>
            <button type="button" onClick={close}>{t.value.shell.cancel}</button>
          </div>
        </form>
      )}
    </Sheet>
  );
}
