// A new password, by whoever knows the old one.

import { signal, useSignal } from '@preact/signals';
import { post, Problem } from '../../../../common/ui/api';
import { Sheet } from '../../../../common/ui/parts/Sheet';
import { t } from '../i18n';
import { toast } from '../toast';
import { problemWords } from './Empty';

export const changingPassword = signal(false);

const close = () => (changingPassword.value = false);

export function PasswordSheet() {
  return changingPassword.value ? <Form /> : null;
}

function Form() {
  const words = t.value.shell;
  const [old, fresh, failed] = [useSignal(''), useSignal(''), useSignal('')];
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      await post('/api/v1/session/password', { old: old.value, new: fresh.value });
      toast(words.passwordChanged);
      close();
    } catch (error) {
      failed.value = error instanceof Problem ? problemWords(error) : String(error);
    }
  };
  return (
    <Sheet title={words.changePassword} id="password" close={close}>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <label><span>{words.oldPassword}</span><input type="password" name="old" autocomplete="current-password" required value={old.value} onInput={(event) => (old.value = event.currentTarget.value)} /></label>
        <label><span>{words.newPassword}</span><input type="password" name="new" autocomplete="new-password" required value={fresh.value} onInput={(event) => (fresh.value = event.currentTarget.value)} /></label>
        {failed.value && <p class="wrong" role="alert">{words.failed(failed.value)}</p>}
        <div class="buttons"><button class="primary">{words.changePassword}</button><button type="button" onClick={close}>{words.cancel}</button></div>
      </form>
    </Sheet>
  );
}
