// Who are you? Nothing of any site is shown before that is answered. The URL stays, so a link that was sent opens what it
// names right after.

import { SignIn } from '../../../../common/ui/parts/SignIn';
import { ADD_ADMINISTRATOR } from '../commands';
import { t } from '../i18n';
import { refusal } from '../store';
import { Command } from './Empty';

export function Login({ done }: { done: () => void }) {
  const { name, password, wrongPassword: wrong, signIn, signInHint, noAccounts, again } = t.value.shell;
  if (refusal.value?.code === 'no_accounts') {
    return (
      <main class="login" data-testid="no-accounts">
        <h1>SmartPick</h1>
        <p role="alert">{noAccounts}</p>
        <Command text={ADD_ADMINISTRATOR} />
        <button class="primary" onClick={done}>{again}</button>
      </main>
    );
  }
  return (
    <SignIn words={{ name, password, wrong, signIn }} refusal={refusal.value} done={done}>
      <p class="dim">{signInHint}</p>
      <Command text={ADD_ADMINISTRATOR} />
    </SignIn>
  );
}
