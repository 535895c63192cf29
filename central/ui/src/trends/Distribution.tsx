// How often which risk was seen: bars from 0 to 100 with the percentiles where they stand, and the zones beside each other.

import { t } from '../i18n';
import { count, share } from '../format';
import { known } from './figures';
import { FiguresTable } from './FiguresTable';
import { bars } from './histogram';
import type { Distribution as Answer } from './wire';
import { reading, score, zoneName } from './words';

/** REBA's "high"; the same bound as "at risk" everywhere. */
const HIGH = 70;
/** Each percentile has a line of its own above the bars, so that close ones do not cover each other, rem. */
const LINE = 1.5;

export function Distribution({ answer }: { answer: Answer }) {
  const w = t.value.figures;
  const own = known(answer);
  return (
    <>
      <p class="reading">{reading(answer)}</p>
      {own === 'suppressed' && <p class="notice suppressed-note">{w.fewWhy}</p>}
      {own === 'data' && answer.bins && <Bars bins={answer.bins} answer={answer} />}
      {answer.zones.length > 0 && <FiguresTable id="zones" caption={w.zones} head={w.zone} rows={answer.zones.map((zone) => ({ key: zone.zone_id, name: zoneName(zone), figures: zone }))} />}
    </>
  );
}

function Bars({ bins, answer }: { bins: readonly number[]; answer: Answer }) {
  const w = t.value.figures;
  const drawn = bars(bins);
  const marks = [['p50', answer.p50], ['p90', answer.p90], ['p95', answer.p95]].filter((mark): mark is ['p50' | 'p90' | 'p95', number] => mark[1] !== null);
  return (
    <figure class="histogram" data-testid="histogram">
      <figcaption>{w.distributionTitle} <span class="legend">{w.atRiskWhy}</span></figcaption>
      <div class="histogram-body" role="img" aria-label={w.distributionLabel(score(answer.p50), score(answer.p95))}>
        <div class="histogram-marks" style={{ height: `${LINE * marks.length}rem` }}>
          {marks.map(([name, value], index) => (
            <span key={name} class={value > 50 ? 'mark left' : 'mark'} style={{ left: `${value}%`, bottom: `${LINE * index}rem` }}>{w[name]} {score(value)}</span>
          ))}
        </div>
        <div class="histogram-bars">
          {drawn.map(({ from, part, events }) => (
            <span key={from} class={from >= HIGH ? 'histogram-bar high' : 'histogram-bar'} style={{ height: events > 0 ? `max(2px, ${part * 100}%)` : '0' }} />
          ))}
          {marks.map(([name, value], index) => <span key={name} class="mark-line" style={{ left: `${value}%`, top: `${-LINE * index}rem` }} />)}
        </div>
        <div class="histogram-axis">{[0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100].map((tick) => <span key={tick} style={{ left: `${tick}%` }}>{tick}</span>)}</div>
      </div>
      <details>
        <summary>{w.table}</summary>
        <table>
          <caption class="visually-hidden">{w.distributionTitle}</caption>
          <thead><tr><th scope="col">{w.risk}</th><th scope="col">{w.events}</th><th scope="col">{w.share}</th></tr></thead>
          <tbody>{drawn.map((bar) => <tr key={bar.from}><th scope="row">{w.stepBetween(String(bar.from), String(bar.to))}</th><td>{count(bar.events)}</td><td>{share(bar.share)}</td></tr>)}</tbody>
        </table>
      </details>
    </figure>
  );
}
