// Who may sign in, and which machines may ask. Whether an administrator must stay is for the server to say.

import { t } from '../i18n';
import { ZoneNote } from '../parts/ZoneNote';
import { Tokens } from './Tokens';
import { Users } from './Users';

export function UsersPage() {
  return (
    <section class="study" aria-labelledby="study-title" data-testid="users-page">
      <div class="study-head"><h1 id="study-title" tabIndex={-1}>{t.value.accounts.title}</h1></div>
      <ZoneNote />
      <Users />
      <Tokens />
    </section>
  );
}
