// Name and password.

import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { post, Problem } from '../api';

interface Props {
  words: { name: string; password: string; wrong: string; signIn: string };
  /** Why nobody was let in before. */
  refusal: { message: string } | null;
  done: () => void;
  children: ComponentChildren;
}

export function SignIn({ words, refusal, done, children }: Props) {
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
      failed.value = problem.status === 401 ? words.wrong : problem.message;
      password.value = '';
    } finally {
      busy.value = false;
    }
  };
  return (
    <main class="login">
      <form onSubmit={(event) => void submit(event)} data-testid="login">
        <h1>SmartPick</h1>
        {refusal && <p class="dim" lang="en">{refusal.message}</p>}
        <label><span>{words.name}</span><input name="name" autocomplete="username" autocapitalize="none" required value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} /></label>
        <label><span>{words.password}</span><input name="password" type="password" autocomplete="current-password" required value={password.value} onInput={(event) => (password.value = event.currentTarget.value)} /></label>
        <p class="failed" role="alert">{failed.value}</p>
        <button class="primary" disabled={busy.value}>{words.signIn}</button>
        {children}
      </form>
    </main>
  );
}
