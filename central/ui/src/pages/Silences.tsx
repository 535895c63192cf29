// What is silenced at all sites, by whom, until when; and what was.

import { computed, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { get } from '../../../../common/ui/api';
import { endSilence, isPending, said } from '../actions';
import { lasting } from '../format';
import { t } from '../i18n';
import { ask, useGet } from '../load';
import { Empty, Failed, Loading } from '../parts/Empty';
import { Table, type Column } from '../parts/Table';
import { href, param, setQuery } from '../route';
import { siteTimes, useNames } from '../settings';
import { may, now, siteName, slow } from '../store';
import type { Silence } from '../wire';
import { scopeWords } from '../words';

const REFRESH_MS = 15_000;

/** The list says what was true when it was made; a silence ends by itself meanwhile. */
const running = (silence: Silence, at: number) => silence.ended === null && Date.parse(silence.until) > at;

const columns = computed<readonly Column<Silence>[]>(() => {
  const words = t.value.alerts;
  return [
    { key: 'scope', head: words.scope, value: scopeWords, cell: (silence) => scopeWords(silence) },
    { key: 'site', head: words.site, value: ({ warehouse_id }) => siteName(warehouse_id), cell: ({ warehouse_id }) => <a href={href(`/sites/${warehouse_id}`)}>{siteName(warehouse_id)}</a> },
    { key: 'reason', head: t.value.shell.reason, cell: ({ reason }) => reason },
    { key: 'by', head: words.by, value: ({ by }) => by, cell: ({ by, origin }) => `${by} (${origin === 'headquarters' ? words.fromHeadquarters : words.fromFloor})` },
    { key: 'until', head: words.until, value: ({ until }) => Date.parse(until), cell: (silence) => <Until silence={silence} /> },
  ];
});

function Until({ silence }: { silence: Silence }) {
  const words = t.value.alerts;
  const { clock } = siteTimes(silence.warehouse_id);
  const ending = isPending('end', silence.silence_id);
  if (silence.ended) return <span class="dim">{words.endedBy(silence.ended.by, clock(silence.ended.at, now.peek()))}</span>;
  if (!running(silence, slow.value)) return <span class="dim">{clock(silence.until, now.peek())}, {words.ranOut}</span>;
  return (
    <span class="row-buttons">
      <span>{clock(silence.until, now.peek())}, {words.ends(lasting(Date.parse(silence.until) - slow.value))}</span>
      {may('act') && <button class="small" data-action="end-silence" disabled={ending} onClick={() => endSilence(silence)}>{ending ? words.sending : words.endNow}</button>}
    </span>
  );
}

interface Page {
  silences: Silence[];
  next: string | null;
}

export function Silences() {
  const words = t.value.alerts;
  const past = param('state', '', ['past', '']) === 'past';
  const loaded = useGet<Page>(ask('/api/v1/silences', { limit: 200 }), REFRESH_MS, String(said.value));
  const older = useSignal<Page | null>(null);
  useEffect(() => {
    older.value = null;
  }, [loaded.data]);
  const all = [...(loaded.data?.silences ?? []), ...(older.value?.silences ?? [])];
  const shown = all.filter((silence) => running(silence, slow.value) !== past);
  const next = older.value ? older.value.next : loaded.data?.next ?? null;
  const more = async () => {
    const page = await get<Page>(ask('/api/v1/silences', { limit: 200, cursor: next })).catch(() => null);
    if (page) older.value = { silences: [...(older.value?.silences ?? []), ...page.silences], next: page.next };
  };
  useNames([...new Set(all.map(({ warehouse_id }) => warehouse_id))]);
  return (
    <>
      <nav aria-label={words.title}><ol class="crumbs"><li><a href={href('/alerts')}>{words.title}</a></li></ol></nav>
      <h1 tabIndex={-1}>{words.silences}</h1>
      <div class="tools"><div class="tabs" role="group" aria-label={words.state}>
        <button aria-pressed={!past} onClick={() => setQuery({ state: null }, true)}>{words.running}</button>
        <button aria-pressed={past} onClick={() => setQuery({ state: 'past' }, true)}>{words.past}</button>
      </div></div>
      {loaded.problem && <Failed problem={loaded.problem} again={loaded.again} />}
      {!loaded.data && !loaded.problem && <Loading />}
      {loaded.data && shown.length === 0 && <Empty title={words.noSilences} hint={words.noSilencesHint} />}
      {shown.length > 0 && <Table id="silences" caption={words.silences} columns={columns.value} rows={shown} rowKey={({ silence_id }) => silence_id} />}
      {past && next && <button class="more" onClick={() => void more()}>{t.value.shell.older}</button>}
    </>
  );
}
