// The accounts: listed, added, given another role or password, removed.

import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { patch, post, remove } from '../../../../common/ui/api';
import { Choices } from '../../../../common/ui/parts/Sheet';
import { ADD_ADMINISTRATOR } from '../commands';
import { dated } from '../format';
import { language, t } from '../i18n';
import { useGet } from '../load';
import { Empty, Failed, Loading } from '../parts/Empty';
import { Table, type Column } from '../parts/Table';
import { me } from '../store';
import { toast } from '../toast';
import type { Role } from '../wire';
import { FormSheet } from './FormSheet';
import { ROLES, type User } from './wire';

type Doing = { what: 'add' } | { what: 'password' | 'role' | 'remove'; user: User };

export function Users() {
  const w = t.value.accounts;
  const loaded = useGet<{ users: User[] }>('/api/v1/users');
  const doing = useSignal<Doing | null>(null);
  const rows = loaded.data?.users ?? [];
  const columns = useMemo((): Column<User>[] => [
    { key: 'name', head: w.name, value: ({ name }) => name, cell: ({ name }) => <>{name}{me.value?.name === name && <span class="dim"> ({w.you})</span>}</> },
    { key: 'role', head: w.role, value: ({ role }) => role, cell: ({ role }) => roleWord(role) },
    { key: 'created', head: w.created, value: ({ created_at }) => created_at, cell: ({ created_at }) => dated(created_at) },
    { key: 'used', head: w.lastUsed, value: ({ last_used_at }) => last_used_at, cell: ({ last_used_at }) => (last_used_at ? dated(last_used_at) : w.never) },
    {
      key: 'do', head: w.actions, cell: (user) => (
        <span class="row-buttons">
          <button class="small" onClick={() => (doing.value = { what: 'role', user })} aria-label={w.changeRole(user.name)}>{w.role}</button>
          <button class="small" onClick={() => (doing.value = { what: 'password', user })} aria-label={w.passwordFor(user.name)}>{w.password}</button>
          <button class="small" onClick={() => (doing.value = { what: 'remove', user })} aria-label={w.removeTitle(user.name)}>{w.remove}</button>
        </span>
      ),
    },
  ], [language.value, me.value?.name]);
  const close = () => (doing.value = null);
  const done = (words: string) => {
    toast(words);
    close();
    loaded.again();
  };
  return (
    <>
      <div class="part-head"><h2>{w.users}</h2><button class="primary" data-action="add-user" onClick={() => (doing.value = { what: 'add' })}>{w.addUser}</button></div>
      {loaded.problem && <Failed problem={loaded.problem} again={loaded.again} />}
      {!loaded.data && !loaded.problem && <Loading />}
      {loaded.data && rows.length === 0 && <Empty title={w.noUsers} command={ADD_ADMINISTRATOR} />}
      {rows.length > 0 && <Table id="users" caption={w.users} columns={columns} rows={rows} rowKey={({ name }) => name} />}
      <Doings doing={doing.value} close={close} done={done} />
    </>
  );
}

function Doings({ doing, close, done }: { doing: Doing | null; close: () => void; done: (words: string) => void }) {
  const w = t.value.accounts;
  if (doing === null) return null;
  switch (doing.what) {
    case 'add': return <Add close={close} done={done} />;
    case 'password': return <Password user={doing.user} close={close} done={done} />;
    case 'role': return <RoleSheet user={doing.user} close={close} done={done} />;
    case 'remove': return (
      <FormSheet title={w.removeTitle(doing.user.name)} id="remove-user" word={w.remove} close={close} act={async () => (await remove(path(doing.user)), done(w.removed(doing.user.name)))}>
        <p>{w.removeHint}</p>
      </FormSheet>
    );
  }
}

const roleWord = (role: Role) => t.value.shell.role[role] ?? role;

const path = ({ name }: User) => `/api/v1/users/${encodeURIComponent(name)}`;

interface SheetProps {
  close: () => void;
  done: (words: string) => void;
}

function Add({ close, done }: SheetProps) {
  const w = t.value.accounts;
  const [name, password, role] = [useSignal(''), useSignal(''), useSignal<Role>('viewer')];
  return (
    <FormSheet title={w.addUser} id="add-user" word={w.add} close={close} act={async () => (await post('/api/v1/users', { name: name.value.trim(), role: role.value, password: password.value }), done(w.added(name.value.trim())))}>
      <label class="field"><span>{w.name}</span><input name="new-name" required autocomplete="off" spellcheck={false} value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} /></label>
      <RoleChoice value={role.value} set={(next) => (role.value = next)} />
      <PasswordField label={w.password} value={password.value} set={(text) => (password.value = text)} />
    </FormSheet>
  );
}

function Password({ user, close, done }: SheetProps & { user: User }) {
  const w = t.value.accounts;
  const password = useSignal('');
  return (
    <FormSheet title={w.passwordFor(user.name)} id="set-password" word={w.setPassword} close={close} act={async () => (await patch(path(user), { password: password.value }), done(w.passwordSet(user.name)))}>
      <PasswordField label={w.newPassword} value={password.value} set={(text) => (password.value = text)} />
    </FormSheet>
  );
}

function RoleSheet({ user, close, done }: SheetProps & { user: User }) {
  const w = t.value.accounts;
  const role = useSignal(user.role);
  return (
    <FormSheet title={w.changeRole(user.name)} id="set-role" word={t.value.shell.save} close={close} act={async () => (await patch(path(user), { role: role.value }), done(w.roleSet(user.name, roleWord(role.value))))}>
      <RoleChoice value={role.value} set={(next) => (role.value = next)} />
    </FormSheet>
  );
}

function RoleChoice({ value, set }: { value: Role; set: (role: Role) => void }) {
  const w = t.value.accounts;
  return (
    <>
      <Choices legend={w.role} name="role" value={value} set={set} options={ROLES.map((one) => [one, roleWord(one)])} />
      <p class="dim" role="status">{roleWord(value)}: {w.roleHint[value]}</p>
    </>
  );
}

function PasswordField({ label, value, set }: { label: string; value: string; set: (text: string) => void }) {
  return (
    <label class="field"><span>{label}</span>
      <input type="password" name="new-password" required autocomplete="new-password" aria-describedby="password-hint" value={value} onInput={(event) => set(event.currentTarget.value)} />
      <small id="password-hint">{t.value.accounts.passwordHint}</small>
    </label>
  );
}
