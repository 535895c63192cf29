// Who did what at headquarters: the newest first, as far back as somebody asks.

import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { get, type Problem } from '../../../../common/ui/api';
import { byName, dated, here } from '../format';
import { language, t } from '../i18n';
import { ask } from '../load';
import { Empty, Loading, problemWords } from '../parts/Empty';
import { Table, type Column } from '../parts/Table';
import { TimeRange, useRange } from '../parts/TimeRange';
import { ZoneNote } from '../parts/ZoneNote';
import { param, query, setQuery } from '../route';
import type { Entry } from './wire';

export function AuditPage() {
  const w = t.value.accounts.audit;
  const chosen = useRange(here, [], '28d');
  const filter = { actor: param('actor', ''), action: param('action', ''), subject: param('subject', ''), from: chosen.from, to: chosen.to };
  const question = JSON.stringify(filter);
  const entries = useSignal<readonly Entry[] | null>(null);
  const next = useSignal<number | null>(null);
  const failed = useSignal('');
  const latest = useRef(0);
  const load = async (cursor: number | null) => {
    const own = (latest.current += 1);
    try {
      const answer = await get<{ entries: Entry[]; next: number | null }>(ask('/api/v1/audit', { ...filter, cursor }));
      if (own !== latest.current) return;
      [entries.value, next.value, failed.value] = [[...(cursor === null ? [] : entries.value ?? []), ...answer.entries], answer.next ?? null, ''];
    } catch (error) {
      if (own === latest.current) failed.value = problemWords(error as Problem);
    }
  };
  useEffect(() => {
    if (chosen.range) void load(null);
  }, [question]);
  const columns = useMemo((): Column<Entry>[] => [
    { key: 'at', head: w.at, cell: ({ at }) => dated(at) },
    { key: 'actor', head: w.actor, cell: ({ actor }) => <Narrow name="actor" value={actor} words={actor} /> },
    { key: 'action', head: w.action, cell: ({ action }) => <Narrow name="action" value={action} words={done(action)} /> },
    { key: 'subject', head: w.subject, cell: ({ subject }) => subject },
    { key: 'detail', head: w.detail, cell: ({ detail }) => <span class="detail-text">{detail}</span> },
  ], [language.value]);
  const filtered = ['actor', 'action', 'subject', 'range'].some((name) => query.value.has(name));
  return (
    <section class="study" aria-labelledby="study-title" data-testid="audit">
      <div class="study-head">
        <h1 id="study-title" tabIndex={-1}>{w.title}</h1>
        <a class="button" href={ask('/api/v1/audit.csv', filter)} download>{t.value.shell.csv}</a>
      </div>
      <p class="dim">{w.intro}</p>
      <ZoneNote />
      <form class="controls" aria-label={t.value.shell.filter} onSubmit={(event) => event.preventDefault()}>
        <Typed name="actor" value={filter.actor} />
        <Done value={filter.action} />
        <Typed name="subject" value={filter.subject} />
        {filtered && <button type="button" onClick={() => setQuery({ actor: null, action: null, subject: null, range: null, from: null, to: null }, true)}>{t.value.shell.clearFilter}</button>}
      </form>
      <TimeRange zone={here} shifts={[]} chosen={chosen} />
      {failed.value && <p class="failed-box" role="alert">{t.value.shell.failed(failed.value)}</p>}
      {entries.value === null && !failed.value && <Loading />}
      {entries.value?.length === 0 && <Empty title={filtered ? w.noMatch : w.emptyTitle} />}
      {entries.value && entries.value.length > 0 && <Table id="audit" caption={w.title} columns={columns} rows={entries.value} rowKey={({ id }) => String(id)} />}
      {next.value && <button onClick={() => void load(next.value)} data-action="older">{t.value.shell.older}</button>}
    </section>
  );
}

/** What was done, in the reader's language; a newer server's word as it is. */
const done = (action: string) => t.value.accounts.did[action] ?? action;

function Typed({ name, value }: { name: 'actor' | 'subject'; value: string }) {
  return (
    <label class="control">
      <span>{t.value.accounts.audit[name]}</span>
      <input type="search" value={value} autocomplete="off" onChange={(event) => setQuery({ [name]: event.currentTarget.value.trim() }, true)} data-filter={name} />
    </label>
  );
}

/** Nobody needs to know the server's words to ask for one of them. */
function Done({ value }: { value: string }) {
  const known = Object.keys(t.value.accounts.did).map((action): [string, string] => [action, done(action)]).sort((a, b) => byName(a[1], b[1]));
  return (
    <label class="control">
      <span>{t.value.accounts.audit.action}</span>
      <select value={value} onChange={(event) => setQuery({ action: event.currentTarget.value }, true)} data-filter="action">
        <option value="">{t.value.shell.any}</option>
        {value && !(value in t.value.accounts.did) && <option value={value}>{value}</option>}
        {known.map(([action, words]) => <option key={action} value={action}>{words}</option>)}
      </select>
    </label>
  );
}

/** Shows only those that have this value. What the export calls it is the button's title. */
function Narrow({ name, value, words }: { name: 'actor' | 'action'; value: string; words: string }) {
  return <button type="button" class="text" title={words === value ? undefined : value} onClick={() => setQuery({ [name]: value }, true)}>{words}</button>;
}
