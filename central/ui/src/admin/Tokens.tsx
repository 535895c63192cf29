// Tokens for machines: what each may do, and when it was last used. A token itself is shown once, when it is made.

import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { post, remove } from '../../../../common/ui/api';
import { Sheet } from '../../../../common/ui/parts/Sheet';
import { dated } from '../format';
import { language, t } from '../i18n';
import { useGet } from '../load';
import { Command, Empty, Failed, Loading } from '../parts/Empty';
import { Table, type Column } from '../parts/Table';
import { toast } from '../toast';
import type { Scope } from '../wire';
import { FormSheet } from './FormSheet';
import { SCOPES, type Token } from './wire';

type Doing = { what: 'add' } | { what: 'made'; name: string; token: string } | { what: 'revoke'; token: Token };

export function Tokens() {
  const w = t.value.accounts;
  const loaded = useGet<{ tokens: Token[] }>('/api/v1/tokens');
  const doing = useSignal<Doing | null>(null);
  const rows = loaded.data?.tokens ?? [];
  const columns = useMemo((): Column<Token>[] => [
    { key: 'name', head: w.name, value: ({ name }) => name, cell: ({ name }) => name },
    { key: 'scopes', head: w.scopes, cell: ({ scopes }) => scopes.map((one) => w.scope[one] ?? one).join(', ') },
    { key: 'created', head: w.created, value: ({ created_at }) => created_at, cell: ({ created_at }) => dated(created_at) },
    { key: 'used', head: w.lastUsed, value: ({ last_used_at }) => last_used_at, cell: ({ last_used_at }) => (last_used_at ? dated(last_used_at) : w.never) },
    {
      key: 'do', head: w.actions, cell: (token) => token.revoked_at
        ? <span class="dim">{w.revoked}, {dated(token.revoked_at)}</span>
        : <button class="small" onClick={() => (doing.value = { what: 'revoke', token })} aria-label={w.revokeTitle(token.name)}>{w.revoke}</button>,
    },
  ], [language.value]);
  const close = () => (doing.value = null);
  const own = doing.value;
  return (
    <>
      <div class="part-head"><h2>{w.tokens}</h2><button data-action="add-token" onClick={() => (doing.value = { what: 'add' })}>{w.addToken}</button></div>
      {loaded.problem && <Failed problem={loaded.problem} again={loaded.again} />}
      {!loaded.data && !loaded.problem && <Loading />}
      {loaded.data && rows.length === 0 && <Empty title={w.noTokens} command="smartpick-central tokens add NAME --scope read" />}
      {rows.length > 0 && <Table id="tokens" caption={w.tokens} columns={columns} rows={rows} rowKey={({ name }) => name} tone={({ revoked_at }) => (revoked_at ? 'over' : '')} sortParam="tokens-sort" />}
      {own?.what === 'add' && <Add close={close} made={(name, token) => ((doing.value = { what: 'made', name, token }), loaded.again())} />}
      {own?.what === 'made' && <Made name={own.name} token={own.token} close={close} />}
      {own?.what === 'revoke' && (
        <FormSheet title={w.revokeTitle(own.token.name)} id="revoke-token" word={w.revoke} close={close} act={async () => {
          await remove(`/api/v1/tokens/${encodeURIComponent(own.token.name)}`);
          toast(w.revokedDone(own.token.name));
          close();
          loaded.again();
        }}><p>{w.revokeHint}</p></FormSheet>
      )}
    </>
  );
}

function Add({ close, made }: { close: () => void; made: (name: string, token: string) => void }) {
  const w = t.value.accounts;
  const name = useSignal('');
  const scopes = useSignal<readonly Scope[]>(['read']);
  const toggle = (scope: Scope) => (scopes.value = SCOPES.filter((one) => (one === scope) !== scopes.value.includes(one)));
  return (
    <FormSheet title={w.addToken} id="add-token" word={w.make} close={close} act={async () => {
      const answer = await post<{ name: string; token: string }>('/api/v1/tokens', { name: name.value.trim(), scopes: scopes.value });
      if (answer) made(answer.name, answer.token);
    }}>
      <label class="field"><span>{w.name}</span><input name="token-name" required autocomplete="off" spellcheck={false} value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} /></label>
      <fieldset class="ticks"><legend>{w.scopes}</legend>{SCOPES.map((one) => <label key={one}><input type="checkbox" name={`scope-${one}`} checked={scopes.value.includes(one)} onChange={() => toggle(one)} />{w.scope[one]}</label>)}</fieldset>
    </FormSheet>
  );
}

function Made({ name, token, close }: { name: string; token: string; close: () => void }) {
  const w = t.value.accounts;
  return (
    <Sheet title={w.tokenOnce(name)} id="token-made" close={close}>
      <p>{w.tokenOnceHint} <code>Authorization: Bearer …</code></p>
      <Command text={token} />
      <div class="buttons"><button class="primary" onClick={close}>{w.done}</button></div>
    </Sheet>
  );
}
