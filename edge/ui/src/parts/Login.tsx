// Who are you? Nothing of the floor is shown before that is answered.

import { useSignal } from '@preact/signals';
import { post, Problem } from '../api';
import { t } from '../i18n';
import { kiosk } from '../route';
import { refusal } from '../store';
import { Command } from './Command';

export function Login({ done }: { done: () => void }) {
  if (kiosk.value) {
    return (
      <main class="login">
        <h1>SmartPick</h1>
        <p role="alert">{t.value.kioskHint}</p>
        {refusal.value && <p class="dim" lang="en">{refusal.value.message}</p>}
        <Command text="smartpick-edge kiosk add NAME" />
      </main>
    );
  }
  if (refusal.value?.code === 'no_accounts') {
    return (
      <main class="login">
        <h1>SmartPick</h1>
        <p role="alert">{t.value.noAccounts}</p>
        <Command text="smartpick-edge users add NAME --role supervisor" />
        <button class="primary" onClick={done}>{t.value.again}</button>
      </main>
    );
  }
  return <Form done={done} />;
}

function Form({ done }: { done: () => void }) {
  const [name, password, failed, busy] = [useSignal(''), useSignal(''), useSignal(''), useSignal(false)];
  const submit = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    failed.value = '';
    try {
      await post('/api/v1/session', { name: name.value, password: password.value });
      done();
    } catch (error) {
      const problem = error as Problem;
      failed.value = problem.status === 401 ? t.value.wrong : problem.message;
      password.value = '';
    } finally {
      busy.value = false;
    }
  };
  return (
    <main class="login">
      <form onSubmit={(event) => void submit(event)} data-testid="login">
        <h1>SmartPick</h1>
        {refusal.value && <p class="dim" lang="en">{refusal.value.message}</p>}
        <label><span>{t.value.name}</span><input name="name" autocomplete="username" autocapitalize="none" required value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} /></label>
        <label><span>{t.value.password}</span><input name="password" type="password" autocomplete="current-password" required value={password.value} onInput={(event) => (password.value = event.currentTarget.value)} /></label>
        <p class="failed" role="alert">{failed.value}</p>
        <button class="primary" disabled={busy.value}>{t.value.signIn}</button>
        <p class="dim">{t.value.signInHint}</p>
        <Command text="smartpick-edge users add NAME --role supervisor" />
      </form>
    </main>
  );
}
