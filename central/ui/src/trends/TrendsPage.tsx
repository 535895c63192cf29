// Trends: of all sites a ranking; of one site its risk over time, by zone and hour, against another time, and how it spreads.

import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { knownZone } from '../format';
import { t } from '../i18n';
import { ask, useGet, type Loaded } from '../load';
import { Empty, Failed, Loading } from '../parts/Empty';
import { TimeRange, useRange, type Chosen } from '../parts/TimeRange';
import { writeLocal } from '../range';
import { href, param, query, setQuery } from '../route';
import type { Settings } from '../rules/wire';
import { now, siteName } from '../store';
import { Compare } from './Compare';
import { Distribution } from './Distribution';
import { known, MEASURES, type Measure } from './figures';
import { HeatMap } from './HeatMap';
import { asked, PAIRS, previous } from './periods';
import { Ranking } from './Ranking';
import { SitePick } from './SitePick';
import { Trend } from './Trend';
import { BY, type By, type Comparison, type Distribution as DistributionAnswer, type HeatMap as HeatMapAnswer, type Trend as TrendAnswer } from './wire';
import { zoneName } from './words';

const VIEWS = ['trend', 'heatmap', 'compare', 'distribution'] as const;
type View = (typeof VIEWS)[number];
const HOUR = 3_600_000;

export function TrendsPage() {
  const site = param('site', '');
  return site ? <SiteTrends key={site} site={site} /> : <Ranking />;
}

function SiteTrends({ site }: { site: string }) {
  const w = t.value.figures;
  const settings = useGet<Settings>(`/api/v1/sites/${encodeURIComponent(site)}/settings`);
  const own = settings.data;
  const zone = knownZone(own?.time_zone);
  const shifts = own?.shifts ?? [];
  const chosen = useRange(zone, shifts, '7d');
  const view = param<View>('view', query.value.has('with') ? 'compare' : 'trend', VIEWS);
  /** Pairs like "this week" bring their times. */
  const ownTimes = view === 'compare' && PAIRS.some((one) => one === param('with', 'week'));
  // `with` alone means the comparison, so another view has to say so.
  const to = (next: View) => href('/trends', { ...Object.fromEntries(query.value), view: next === 'trend' && !query.value.has('with') ? null : next });
  return (
    <section class="study" aria-labelledby="study-title" data-testid="trends">
      <div class="study-head">
        <h1 id="study-title" tabIndex={-1}>{w.title}: {own?.name ?? siteName(site)}</h1>
        <nav class="subnav" aria-label={w.views}>{VIEWS.map((one) => <a key={one} href={to(one)} aria-current={one === view ? 'page' : undefined}>{w.view[one]}</a>)}</nav>
      </div>
      {settings.problem && !own && <Failed problem={settings.problem} again={settings.again} />}
      {!own && !settings.problem && <Loading />}
      {own && (
        <>
          <div class="controls">
            <SitePick site={site} all={w.allSites} />
            <label class="control"><span>{w.zone}</span>
              <select value={param('zone', '')} onChange={(event) => setQuery({ zone: event.currentTarget.value }, true)}>
                <option value="">{w.allZones}</option>
                {own.zones.map((one) => <option key={one.zone_id} value={one.zone_id}>{zoneName(one)}</option>)}
              </select>
            </label>
            <ViewControls site={site} view={view} zone={zone} hasShifts={shifts.length > 0} chosen={chosen} />
          </div>
          {!ownTimes && <TimeRange zone={zone} shifts={shifts} chosen={chosen} />}
          <Shown site={site} view={view} zone={zone} hasShifts={shifts.length > 0} chosen={chosen} />
        </>
      )}
    </section>
  );
}

interface ViewProps {
  site: string;
  zone: string;
  hasShifts: boolean;
  chosen: Chosen;
}

function Shown({ view, ...props }: ViewProps & { view: View }) {
  switch (view) {
    case 'trend': return <TrendView {...props} />;
    case 'heatmap': return <HeatMapView {...props} />;
    case 'compare': return <CompareView {...props} />;
    case 'distribution': return <DistributionView {...props} />;
  }
}

/** What every question asks. */
const scope = (site: string, { from, to }: Chosen) => ({ warehouse_id: site, zone_id: param('zone', ''), from, to });

/** An answer with what is said of it, or what there is instead. A new question keeps the last answer in sight, dimmed. */
function Answered<T extends object>({ loaded, about, empty, children }: { loaded: Loaded<T>; /** Of which site and zone: of others nothing is kept. */ about: string; empty: (answer: T) => boolean; children: (answer: T) => ComponentChildren }) {
  const kept = useRef<{ about: string; answer: T } | null>(null);
  if (loaded.data) kept.current = { about, answer: loaded.data };
  const w = t.value.figures;
  const answer = loaded.data ?? (kept.current?.about === about ? kept.current.answer : null);
  if (loaded.problem && !loaded.data) return <Failed problem={loaded.problem} again={loaded.again} />;
  if (answer === null) return <Loading />;
  return (
    <div class={loaded.data ? 'answer' : 'answer asked-anew'} aria-busy={!loaded.data}>
      {'filling' in answer && answer.filling === true && <p class="notice filling" role="note" data-testid="filling">{w.filling}</p>}
      {empty(answer) ? <Empty title={w.emptyTitle} hint={w.emptyHint} command="smartpick-central status" /> : children(answer)}
    </div>
  );
}

/** So many buckets that each can be told from its neighbour. */
function usualBy({ range }: Chosen): By {
  const length = range ? range.to - range.from : 0;
  return length <= 12 * HOUR ? 'quarter' : length <= 72 * HOUR ? 'hour' : 'day';
}

/** Longer ones would have more points than a screen; headquarters refuses them. */
const LONGEST: Partial<Record<By, number>> = { quarter: 7 * 24 * HOUR, hour: 93 * 24 * HOUR };

/** Per what the trend has its figures. */
function byAsked(chosen: Chosen, hasShifts: boolean): { by: By; choices: readonly By[] } {
  const length = chosen.range ? chosen.range.to - chosen.range.from : 0;
  const choices = BY.filter((one) => (one !== 'shift' || hasShifts) && length <= (LONGEST[one] ?? Infinity));
  return { by: param<By>('by', usualBy(chosen), choices), choices };
}

const showAsked = () => param<Measure>('show', 'mean', MEASURES);

/** What the comparison compares, as the URL has it. */
const withAsked = () => param('with', 'week');

/** In steps, so that a question stays the same from one drawing to the next. */
const moment = () => Math.ceil(now.value / 300_000) * 300_000;

/** What only this view lets one choose. */
function ViewControls({ view, ...props }: ViewProps & { view: View }) {
  switch (view) {
    case 'trend': return <TrendControls {...props} />;
    case 'heatmap': return <HeatMapControls {...props} />;
    case 'compare': return <CompareControls {...props} />;
    case 'distribution': return null;
  }
}

function TrendControls({ site, hasShifts, chosen }: ViewProps) {
  const w = t.value.figures;
  const { by, choices } = byAsked(chosen, hasShifts);
  return (
    <>
      <label class="control"><span>{w.by}</span>
        <select value={by} onChange={(event) => setQuery({ by: event.currentTarget.value }, true)} data-testid="by">{choices.map((one) => <option key={one} value={one}>{w.byName[one]}</option>)}</select>
      </label>
      {chosen.range && <a class="button" href={ask('/api/v1/trend.csv', { ...scope(site, chosen), by })} download data-testid="csv">{w.csv}</a>}
    </>
  );
}

function HeatMapControls({ site, chosen }: ViewProps) {
  const w = t.value.figures;
  return (
    <>
      <label class="control"><span>{w.show}</span>
        <select value={showAsked()} onChange={(event) => setQuery({ show: event.currentTarget.value }, true)} data-testid="show">{MEASURES.map((one) => <option key={one} value={one}>{w.subject[one]}</option>)}</select>
      </label>
      {chosen.range && <a class="button" href={ask('/api/v1/heatmap.csv', scope(site, chosen))} download data-testid="csv">{w.csv}</a>}
    </>
  );
}

function CompareControls({ zone, chosen }: ViewProps) {
  const w = t.value.figures;
  const text = withAsked();
  const own = text.includes('..');
  const [from, to] = own ? text.split('..', 2) : [];
  const choose = (choice: string) => {
    if (choice !== 'own') return setQuery({ with: choice, view: 'compare' }, true);
    const before = previous(chosen.range ?? { from: moment() - 168 * HOUR, to: moment() });
    setQuery({ with: `${writeLocal(zone, before.from)}..${writeLocal(zone, before.to)}`, view: 'compare' }, true);
  };
  return (
    <>
      <label class="control wide"><span>{w.periodsWord}</span>
        <select value={own ? 'own' : text} onChange={(event) => choose(event.currentTarget.value)} data-testid="with">{[...PAIRS, 'previous' as const, 'own' as const].map((one) => <option key={one} value={one}>{w.periods[one]}</option>)}</select>
      </label>
      {own && <label class="control"><span>{w.before}: {w.from}</span><input type="datetime-local" value={from} onChange={(event) => setQuery({ with: `${event.currentTarget.value}..${to}` })} /></label>}
      {own && <label class="control"><span>{w.before}: {w.to}</span><input type="datetime-local" value={to} onChange={(event) => setQuery({ with: `${from}..${event.currentTarget.value}` })} /></label>}
    </>
  );
}

function TrendView({ site, hasShifts, chosen }: ViewProps) {
  const { by } = byAsked(chosen, hasShifts);
  const loaded = useGet<TrendAnswer>(chosen.range && ask('/api/v1/trend', { ...scope(site, chosen), by }));
  return chosen.range && (
    <Answered loaded={loaded} about={`${site} ${param('zone', '')} ${by}`} empty={({ buckets }) => buckets.every((one) => known(one) === 'nodata')}>{(answer) => <Trend answer={answer} by={by} />}</Answered>
  );
}

function HeatMapView({ site, chosen }: ViewProps) {
  const show = showAsked();
  const loaded = useGet<HeatMapAnswer>(chosen.range && ask('/api/v1/heatmap', scope(site, chosen)));
  return chosen.range && (
    <Answered loaded={loaded} about={`${site} ${param('zone', '')}`} empty={({ cells }) => cells.every((one) => known(one) === 'nodata')}>{(answer) => <HeatMap map={answer} show={show} />}</Answered>
  );
}

function CompareView({ site, zone, chosen }: ViewProps) {
  const w = t.value.figures;
  const text = withAsked();
  const periods = asked(text, chosen.range, zone, moment());
  const iso = (at: number) => new Date(at).toISOString();
  const loaded = useGet<Comparison>(periods && ask('/api/v1/compare', {
    ...scope(site, chosen), from: iso(periods.now.from), to: iso(periods.now.to), with_from: iso(periods.before.from), with_to: iso(periods.before.to),
  }));
  if (!periods) return <p class="wrong" role="status">{w.badDates}</p>;
  return (
    <Answered loaded={loaded} about={`${site} ${param('zone', '')} ${text}`} empty={({ a, b }) => known(a) === 'nodata' && known(b) === 'nodata'}>
      {(answer) => <Compare answer={answer} periods={periods} />}
    </Answered>
  );
}

function DistributionView({ site, chosen }: ViewProps) {
  const loaded = useGet<DistributionAnswer>(chosen.range && ask('/api/v1/distribution', scope(site, chosen)));
  return chosen.range && <Answered loaded={loaded} about={`${site} ${param('zone', '')}`} empty={(answer) => known(answer) === 'nodata'}>{(answer) => <Distribution answer={answer} />}</Answered>;
}
