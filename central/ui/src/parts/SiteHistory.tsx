// What was with a site: its states and its edges', and what waited there.

import { useMemo } from 'preact/hooks';
import { axis, Plot } from '../../../../common/ui/parts/Plot';
import { about, clock, count, day, time } from '../format';
import { t } from '../i18n';
import { ask, useGet } from '../load';
import { param, setQuery } from '../route';
import { slow } from '../store';
import { backlogCurve, pieces } from '../strip';
import type { EdgeRow, History } from '../wire';
import { StateBadge } from './Badge';
import { Failed, Loading } from './Empty';
import { StateStrip, StripAxis } from './StateStrip';

const SPANS = { '24h': 86_400_000, '7d': 7 * 86_400_000 } as const;
const REFRESH_MS = 60_000;
/** One heartbeat is kept of five minutes, and about so many are in an answer; three of them missing is silence. */
const STEP_MS = 5 * 60_000;
const STEPS = 500;
const quiet = (from: number, to: number) => 3 * Math.max(STEP_MS, (to - from) / STEPS);
/** Newer ones are in the strip. */
const CHANGES_SHOWN = 8;

export function SiteHistory({ site, edges, zone }: { site: string; edges: readonly EdgeRow[]; zone: string }) {
  const span = param('span', '24h', ['24h', '7d'] as const);
  const step = Math.floor(slow.value / REFRESH_MS) * REFRESH_MS;
  const [from, to] = useMemo(() => [step - SPANS[span], step + REFRESH_MS], [step, span]);
  // Asked from a little before, so that the state at the beginning is known.
  const loaded = useGet<History>(ask(`/api/v1/sites/${site}/history`, { from: new Date(from).toISOString(), to: new Date(to).toISOString() }));
  const words = t.value.site;
  const last = useLast(loaded.data);
  return (
    <section class="panel" aria-labelledby="history" data-testid="history">
      <div class="title-row">
        <h2 id="history">{words.history}</h2>
        <div class="tabs" role="group" aria-label={words.history}>
          {(['24h', '7d'] as const).map((one) => <button key={one} class="small" aria-pressed={span === one} onClick={() => setQuery({ span: one === '24h' ? null : one }, true)}>{words.span[one]}</button>)}
        </div>
      </div>
      {loaded.problem && <Failed problem={loaded.problem} again={loaded.again} />}
      {!last && !loaded.problem && <Loading />}
      {last && <Drawn history={last} edges={edges} from={from} to={Math.min(to, slow.value)} zone={zone} />}
    </section>
  );
}

/** The question changes each minute; the picture stays until the answer is here. */
function useLast(data: History | null): History | null {
  const kept = useMemo<{ data: History | null }>(() => ({ data: null }), []);
  if (data) kept.data = data;
  return kept.data;
}

function Drawn({ history, edges, from, to, zone }: { history: History; edges: readonly EdgeRow[]; from: number; to: number; zone: string }) {
  const words = t.value.site;
  const own = history.states.filter(({ edge_id }) => edge_id === null);
  const curve = useMemo(() => backlogCurve(history.heartbeats, quiet(from, to)), [history]);
  const changes = pieces(own, from, to).reverse();
  return (
    <>
      <StateStrip what={words.thisSite} records={own} from={from} to={to} zone={zone} />
      {edges.length > 1 && edges.map(({ edge_id, name }) => (
        <StateStrip key={edge_id} what={name ?? edge_id.slice(0, 8)} records={history.states.filter((one) => one.edge_id === edge_id)} from={from} to={to} zone={zone} />
      ))}
      <StripAxis from={from} to={to} zone={zone} />
      <details class="changes">
        <summary>{words.changes}</summary>
        {changes.length <= 1 && changes[0]?.state === null ? <p class="dim">{words.noChanges}</p> : (
          <ul>
            {changes.slice(0, CHANGES_SHOWN).map((piece) => (
              <li key={piece.from}>
                <time>{clock(piece.from, to, zone)}</time> {piece.state === null ? <span class="dim">{words.unrecorded}</span> : <StateBadge state={piece.state} />} <span class="dim">{about((piece.to - piece.from) / 1000)}</span>
                {piece.reasons.map((reason) => <span key={reason} class="reason" lang="en">{reason}</span>)}
              </li>
            ))}
          </ul>
        )}
      </details>
      <h3>{words.waiting}</h3>
      {curve.times.length === 0 ? <p class="dim">{words.noCurve}</p> : <Backlog curve={curve} from={from} to={to} zone={zone} />}
    </>
  );
}

function Backlog({ curve, from, to, zone }: { curve: ReturnType<typeof backlogCurve>; from: number; to: number; zone: string }) {
  const most = curve.waiting.reduce<number>((max, value) => Math.max(max, value ?? 0), 0);
  const latest = [...curve.waiting].reverse().find((value) => value !== null) ?? 0;
  const label = `${t.value.site.waiting}: ${t.value.site.waitingNow(latest ?? 0)}, max ${count(most)}`;
  const data = useMemo(() => [curve.times.map((at) => at / 1000), curve.waiting] as [number[], (number | null)[]], [curve]);
  return (
    <Plot label={label} height={160} data={data} follows={[data, from, to, zone]}
      options={(colour) => ({
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: true, range: [from / 1000, to / 1000] }, y: { range: (_, __, max) => [0, Math.max(10, max * 1.1)] } },
        axes: [
          { ...axis(colour), space: 90, size: 30, values: (_, ticks) => ticks.map((tick) => (to - from > SPANS['24h'] * 2 ? day(tick * 1000, zone) : time(tick * 1000, zone))) },
          { ...axis(colour), size: 64, values: (_, ticks) => ticks.map((tick) => count(tick)) },
        ],
        series: [{}, { stroke: colour('--link'), width: 2, fill: colour('--soft'), points: { show: curve.times.length < 3 } }],
      })} />
  );
}
