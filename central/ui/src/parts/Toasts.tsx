// Shows what became of things. The regions are always there: what appears in a new one is not read aloud.

import { t } from '../i18n';
import { dismiss, toasts } from '../toast';

export function Toasts() {
  return (
    <div class="toasts">
      <div role="status" aria-live="polite">{list(false)}</div>
      <div role="alert" aria-live="assertive">{list(true)}</div>
    </div>
  );
}

function list(bad: boolean) {
  return toasts.value.filter((one) => one.bad === bad).map(({ id, words }) => (
    <p key={id} class={bad ? 'toast bad' : 'toast'} data-testid="toast">
      <span>{words}</span>
      <button class="small" onClick={() => dismiss(id)}>{t.value.shell.close}</button>
    </p>
  ));
}
