// What could never be stored: look, then try again or discard, with a reason.

import { computed, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { get } from '../../../../common/ui/api';
import { byName, count, dated } from '../format';
import { t } from '../i18n';
import { ask, useGet } from '../load';
import { Ago } from '../parts/Ago';
import { Empty, Failed, Loading } from '../parts/Empty';
import { Letter, type DeadLetter } from '../parts/Letter';
import { Table, type Column } from '../parts/Table';
import { href, param, setQuery } from '../route';
import { now, siteName, sites } from '../store';
import { Choice } from './Alerts';

const STATES = ['open', 'replayed', 'discarded'] as const;
const REFRESH_MS = 15_000;

interface Page {
  dead_letters: DeadLetter[];
  next: number | null;
}

const columns = computed<readonly Column<DeadLetter>[]>(() => {
  const words = t.value.letters;
  return [
    { key: 'id', head: words.id, cell: ({ id }) => <a href={href('/dead-letters', { ...keptQuery(), letter: String(id) })}>{words.one(id)}</a> },
    { key: 'site', head: words.site, value: (row) => (row.warehouse_id ? siteName(row.warehouse_id) : null), cell: (row) => (row.warehouse_id ? <a href={href(`/sites/${row.warehouse_id}`)}>{siteName(row.warehouse_id)}</a> : t.value.shell.unknown) },
    { key: 'kind', head: words.kind, value: ({ kind }) => kind, cell: ({ kind }) => words.kinds[kind] ?? kind },
    { key: 'why', head: words.why, value: ({ reason }) => reason, cell: ({ reason }) => <span class="reason" lang="en">{reason}</span> },
    { key: 'size', head: words.size, number: true, down: true, value: ({ raw_bytes }) => raw_bytes, cell: ({ raw_bytes }) => (raw_bytes === null ? t.value.shell.none : words.bytes(raw_bytes)) },
    { key: 'received', head: words.received, down: true, value: ({ received_at }) => Date.parse(received_at), cell: ({ received_at }) => <Ago at={received_at} /> },
  ];
});

const keptQuery = () => ({ state: param('state', ''), site: param('site', '') });

export function DeadLetters() {
  const words = t.value.letters;
  const state = param('state', 'open', STATES);
  const site = param('site', '');
  const letter = param('letter', '');
  // The number of open ones in the fleet's list: when it changes, so has this one.
  const open = [...sites.value.values()].reduce((sum, one) => sum + one.dead_letters_open, 0);
  const loaded = useGet<Page>(ask('/api/v1/dead-letters', { state, warehouse_id: site, limit: 100 }), REFRESH_MS, String(open));
  const older = useSignal<Page | null>(null);
  useEffect(() => {
    older.value = null;
  }, [loaded.data]);
  if (letter) return <One id={letter} />;
  const rows = [...(loaded.data?.dead_letters ?? []), ...(older.value?.dead_letters ?? [])];
  const next = older.value ? older.value.next : loaded.data?.next ?? null;
  const more = async () => {
    const page = await get<Page>(ask('/api/v1/dead-letters', { state, warehouse_id: site, limit: 100, cursor: next })).catch(() => null);
    if (page) older.value = { dead_letters: [...(older.value?.dead_letters ?? []), ...page.dead_letters], next: page.next };
  };
  const all = [...sites.value.values()].map(({ warehouse_id, name }): [string, string] => [warehouse_id, name ?? warehouse_id]).sort((a, b) => byName(a[1], b[1]));
  return (
    <>
      <h1 tabIndex={-1}>{words.title}</h1>
      <p class="lead">{words.what}</p>
      <div class="tools">
        <div class="tabs" role="group" aria-label={words.state}>
          {STATES.map((one) => <button key={one} aria-pressed={state === one} onClick={() => setQuery({ state: one === 'open' ? null : one }, true)}>{words.states[one]}</button>)}
        </div>
        <Choice label={words.site} value={site} name="site" options={all} />
      </div>
      {loaded.problem && <Failed problem={loaded.problem} again={loaded.again} />}
      {!loaded.data && !loaded.problem && <Loading />}
      {loaded.data && rows.length === 0 && (state === 'open' && !site ? <Empty title={words.none} hint={words.noneHint} /> : <Empty title={words.noneOf} />)}
      {rows.length > 0 && <Table id="letters" caption={words.title} columns={columns.value} rows={rows} rowKey={({ id }) => String(id)} />}
      {next !== null && <button class="more" onClick={() => void more()}>{t.value.shell.older}</button>}
    </>
  );
}

function One({ id }: { id: string }) {
  const words = t.value.letters;
  const loaded = useGet<DeadLetter>(`/api/v1/dead-letters/${encodeURIComponent(id)}`);
  const letter = loaded.data;
  const heading = useRef<HTMLHeadingElement>(null);
  // The path is that of the list, so nobody else moves the focus to what is new.
  useEffect(() => heading.current?.focus({ preventScroll: true }), [id]);
  return (
    <>
      <nav aria-label={words.title}><ol class="crumbs"><li><a href={href('/dead-letters', keptQuery())}>{words.list}</a></li></ol></nav>
      <h1 ref={heading} tabIndex={-1}>{words.one(Number(id))}</h1>
      {loaded.problem && (loaded.problem.status === 404 || loaded.problem.status === 400 ? <Empty title={words.gone} /> : <Failed problem={loaded.problem} again={loaded.again} />)}
      {!letter && !loaded.problem && <Loading />}
      {letter && (
        <>
          <div class="panel">
            <p class="reason-big" lang="en">{letter.reason}</p>
            <dl class="pairs">
              <dt>{words.state}</dt><dd>{words.states[letter.state] ?? letter.state}{letter.resolved_at && `, ${dated(letter.resolved_at)}`}</dd>
              <dt>{words.kind}</dt><dd>{words.kinds[letter.kind] ?? letter.kind}</dd>
              {letter.warehouse_id && <><dt>{words.site}</dt><dd><a href={href(`/sites/${letter.warehouse_id}`)}>{siteName(letter.warehouse_id)}</a></dd></>}
              <dt>{words.edge}</dt><dd class="id">{letter.edge_id}</dd>
              {letter.batch_id && <><dt>{words.batch}</dt><dd class="id">{letter.batch_id}</dd></>}
              {letter.epoch && <><dt>{words.epoch}</dt><dd class="id">{letter.epoch}</dd></>}
              {letter.seq !== null && <><dt>{words.seq}</dt><dd>{count(letter.seq)}</dd></>}
              <dt>{words.received}</dt><dd>{dated(letter.received_at)} (<Ago at={new Date(Math.min(Date.parse(letter.received_at), now.peek())).toISOString()} />)</dd>
            </dl>
          </div>
          <Letter letter={letter} again={loaded.again} />
        </>
      )}
    </>
  );
}
