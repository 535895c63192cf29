// Completeness of a site, period by period: all that its edges accepted, held against what is stored. To be read at a glance,
// and to be filed.

import { useMemo } from 'preact/hooks';
import { shortId } from '../../../../common/ui/ids';
import { count, day, knownZone, share, time } from '../format';
import { language, t } from '../i18n';
import { ask, useGet } from '../load';
import { CompletenessBadge } from '../parts/Badge';
import { Empty, Failed, Loading } from '../parts/Empty';
import { Table, type Column } from '../parts/Table';
import { TimeRange, useRange } from '../parts/TimeRange';
import { ADD_EDGE } from '../commands';
import { href, param, setQuery } from '../route';
import type { Settings } from '../rules/wire';
import { siteName, sites } from '../store';
import { SitePick } from '../trends/SitePick';
import { goesOn, neverKnown, tally, unknownWhy } from './tally';
import { PERIODS, type Completeness, type CompletenessPeriod, type PeriodKind } from './wire';

/** What fills changes by itself. */
const REFRESH_MS = 30_000;

export function CompletenessPage() {
  const site = param('site', '');
  return site ? <SiteCompleteness key={site} site={site} /> : <AllSites />;
}

function SiteCompleteness({ site }: { site: string }) {
  const w = t.value.ledger;
  const settings = useGet<Settings>(`/api/v1/sites/${encodeURIComponent(site)}/settings`);
  const own = settings.data;
  const zone = knownZone(own?.time_zone);
  const shifts = own?.shifts ?? [];
  const by = param<PeriodKind>('by', 'shift', PERIODS);
  const chosen = useRange(zone, shifts, '7d');
  const question = { warehouse_id: site, from: chosen.from, to: chosen.to, by };
  const loaded = useGet<Completeness>(own && chosen.range && ask('/api/v1/completeness', question), REFRESH_MS);
  return (
    <section class="study" aria-labelledby="study-title" data-testid="completeness">
      <div class="study-head">
        <h1 id="study-title" tabIndex={-1}>{w.title}: {own?.name ?? siteName(site)}</h1>
        {chosen.range && <a class="button" href={ask('/api/v1/completeness.csv', question)} download data-testid="export">{w.export}</a>}
      </div>
      {settings.problem && !own && <Failed problem={settings.problem} again={settings.again} />}
      {!own && !settings.problem && <Loading />}
      {own && (
        <div class="controls">
          <SitePick site={site} all={t.value.figures.allSites} />
          <label class="control"><span>{w.byWord}</span>
            <select value={by} onChange={(event) => setQuery({ by: event.currentTarget.value }, true)}>{PERIODS.map((one) => <option key={one} value={one}>{w.by[one]}</option>)}</select>
          </label>
        </div>
      )}
      {own && <TimeRange zone={zone} shifts={shifts} chosen={chosen} />}
      {loaded.problem && <Failed problem={loaded.problem} again={loaded.again} />}
      {own && !loaded.data && !loaded.problem && chosen.range && <Loading />}
      {loaded.data && <Periods site={site} answer={loaded.data} drain={sites.value.get(site)?.drain_seconds ?? null} />}
    </section>
  );
}

/** `drain`: until all that waits at the site will be here, seconds. */
function Periods({ site, answer, drain }: { site: string; answer: Completeness; drain: number | null }) {
  const w = t.value.ledger;
  const zone = answer.time_zone;
  // The newest is what people ask about.
  const rows = useMemo(() => [...answer.periods].reverse(), [answer]);
  const columns = useMemo(() => makeColumns(site, zone, drain), [site, zone, drain, language.value]);
  const { complete, all, dead, unknown, never } = tally(answer.periods);
  const told = [all > 0 && w.summary(count(complete), count(all)), dead > 0 && w.dead_lettered(dead), unknown > 0 && w.unknown(unknown), never > 0 && w.never(never)].filter(Boolean).join(' · ');
  if (answer.periods.every(({ accepted, state }) => accepted === 0 && state !== 'missing')) return <Empty title={w.emptyTitle} hint={w.emptyHint} command="smartpick-central status" />;
  return (
    <>
      {told && <p class="summary" data-testid="tally">{told}</p>}
      <Table id="periods" caption={w.title} columns={columns} rows={rows} rowKey={({ kind, from }) => `${kind} ${from}`} tone={({ state }) => `period-${state}`} />
      <p class="dim">{w.intro} {w.formula}</p>
    </>
  );
}

function makeColumns(site: string, zone: string, drain: number | null): Column<CompletenessPeriod>[] {
  const w = t.value.ledger;
  const number = (key: 'accepted' | 'stored' | 'alerts' | 'duplicates' | 'dead' | 'buffered' | 'missing'): Column<CompletenessPeriod> => ({
    key, head: w[key], number: true, down: true, value: (own) => own[key], cell: (own) => (own[key] > 0 && (key === 'missing' || key === 'dead') ? <strong>{count(own[key])}</strong> : count(own[key])),
  });
  return [
    { key: 'period', head: w.period, value: ({ from }) => from, cell: (own) => <PeriodName own={own} zone={zone} /> },
    { key: 'state', head: w.completeness, cell: (own) => <Judged own={own} site={site} drain={drain} /> },
    { key: 'part', head: w.part, number: true, value: ({ completeness }) => completeness, cell: ({ completeness }) => (completeness === null ? '–' : whole(completeness)) },
    number('accepted'), number('stored'), number('alerts'), number('duplicates'), number('dead'), number('buffered'), number('missing'),
  ];
}

/** What is not all is never rounded to all. */
const whole = (part: number) => share(part < 1 ? Math.min(Math.floor(part * 1000) / 1000, 0.999) : 1);

function PeriodName({ own, zone }: { own: CompletenessPeriod; zone: string }) {
  const hours = `${time(own.from, zone)} – ${time(own.to, zone)}`;
  return <>{own.kind === 'shift' && own.name && `${own.name}, `}{day(own.from, zone)}{own.kind !== 'day' && <span class="hours"> {hours}</span>}</>;
}

function Judged({ own, site, drain }: { own: CompletenessPeriod; site: string; drain: number | null }) {
  const w = t.value.ledger;
  const badge = <CompletenessBadge own={{ state: own.state, missing: own.missing, backlog: own.buffered, drain_seconds: drain, dead: own.dead }} {...(goesOn(own) && { words: w.notOver })} />;
  const never = neverKnown(own);
  return (
    <>
      {own.accepted === 0 && own.state === 'complete' ? <span class="dim">{w.nothing}</span> : own.state === 'dead_lettered' ? <a class="plain-link" href={href('/dead-letters', { site })}>{badge}</a> : badge}
      {own.approximate && <span class="dim"> {w.approximate}</span>}
      {own.state === 'unknown' && <UnknownWhy own={own} never={never} />}
      {own.ran !== null && own.ran < 1 && never === null && <span class="dim beyond">{w.ran(whole(own.ran))}</span>}
      {own.epochs.length > 0 && (
        <details class="epochs">
          <summary>{w.epochs(own.epochs.length)}</summary>
          <ul>{own.epochs.map(({ edge_id, edge, epoch, missing, approximate }) => <li key={`${edge_id} ${epoch}`}>{w.epochOf(edge ?? shortId(edge_id), epoch, count(missing))}{approximate && ` ${w.approximate}`}</li>)}</ul>
        </details>
      )}
    </>
  );
}

/** Who has not told: in our words where there are any. */
function UnknownWhy({ own, never }: { own: CompletenessPeriod; never: ReturnType<typeof neverKnown> }) {
  const w = t.value.ledger;
  if (never !== null) return <span class="dim beyond">{never === 'no-edge' ? w.noEdge : w.noEdgeRan}</span>;
  const why = unknownWhy(own.text);
  return why && <span class="dim beyond" lang="en">{why}</span>;
}

/** Before a site is chosen: how each is as a whole, the worst first. */
function AllSites() {
  const w = t.value.ledger;
  const rows = useMemo(() => [...sites.value.values()].sort((a, b) => b.missing - a.missing || b.dead_letters_open - a.dead_letters_open || b.backlog - a.backlog), [sites.value]);
  const columns = useMemo((): Column<(typeof rows)[number]>[] => [
    { key: 'site', head: t.value.figures.site, value: ({ warehouse_id, name }) => name ?? shortId(warehouse_id), cell: ({ warehouse_id, name }) => <a href={href('/completeness', { site: warehouse_id })}>{name ?? shortId(warehouse_id)}</a> },
    { key: 'state', head: w.completeness, value: ({ missing }) => missing, down: true, cell: ({ completeness }) => <CompletenessBadge own={completeness} /> },
    { key: 'missing', head: w.missing, number: true, value: ({ missing }) => missing, down: true, cell: ({ missing }) => count(missing) },
    { key: 'buffered', head: w.buffered, number: true, value: ({ backlog }) => backlog, down: true, cell: ({ backlog }) => count(backlog) },
    { key: 'dead', head: w.dead, number: true, value: ({ dead_letters_open }) => dead_letters_open, down: true, cell: ({ dead_letters_open }) => count(dead_letters_open) },
  ], [language.value]);
  return (
    <section class="study" aria-labelledby="study-title" data-testid="completeness">
      <div class="study-head"><h1 id="study-title" tabIndex={-1}>{w.title}</h1></div>
      <div class="controls"><SitePick site="" all={t.value.figures.allSites} /></div>
      {rows.length === 0
        ? <Empty title={t.value.figures.noSites} hint={t.value.figures.noSitesHint} command={ADD_EDGE} />
        : <><p class="dim">{w.intro}</p><Table id="sites" caption={w.title} columns={columns} rows={rows} rowKey={({ warehouse_id }) => warehouse_id} /></>}
    </section>
  );
}
