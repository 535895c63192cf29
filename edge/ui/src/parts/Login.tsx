// Who are you? Nothing of the floor is shown before that is answered.

import { SignIn } from '../../../../common/ui/parts/SignIn';
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
  const { name, password, wrong, signIn } = t.value;
  return (
    <SignIn words={{ name, password, wrong, signIn }} refusal={refusal.value} done={done}>
      <p class="dim">{t.value.signInHint}</p>
      <Command text="smartpick-edge users add NAME --role supervisor" />
    </SignIn>
  );
}
