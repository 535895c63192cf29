// The risk of those seconds, with the threshold it crossed.

import type uPlot from 'uplot';
import { score } from '../format';
import { axis, Plot } from './Plot';

/** Points in the table for those who cannot see the drawing. */
const ROWS_MAX = 30;
const HEIGHT = 220;

interface Props {
  curve: readonly { t: string; risk: number }[];
  threshold: number | null;
  peak: number | null;
  words: { curve: string; threshold: string; peak: string; at: string; risk: string; noCurve: string };
  /** A time of the place where it was, to the second. */
  clock: (at: number | string) => string;
}

export function RiskCurve({ curve, threshold, peak, words, clock }: Props) {
  if (curve.length === 0) return <p class="empty">{words.noCurve}</p>;
  const step = Math.ceil(curve.length / ROWS_MAX);
  return (
    <figure class="curve">
      <figcaption>
        {words.curve}
        {threshold !== null && <span class="legend"> – – {words.threshold} {threshold}</span>}
      </figcaption>
      {/* Which clock the place has may be known after the curve. */}
      <Plot label={`${words.curve}. ${words.peak} ${score(peak)}. ${words.threshold} ${threshold ?? '–'}.`}
        height={HEIGHT} data={points(curve, threshold)} options={(colour) => options(colour, curve.length, clock)} follows={[curve, threshold, clock(curve[0]!.t)]} />
      <div class="visually-hidden">
      <table>
        <caption>{words.curve}</caption>
        <thead><tr><th scope="col">{words.at}</th><th scope="col">{words.risk}</th></tr></thead>
        <tbody>
          {curve.filter((_, index) => index % step === 0).map(({ t: at, risk }) => (
            <tr key={at}><td>{clock(at)}</td><td>{score(risk)}</td></tr>
          ))}
        </tbody>
      </table>
      </div>
    </figure>
  );
}

function points(curve: Props['curve'], threshold: number | null): uPlot.AlignedData {
  const times = curve.map(({ t: at }) => Date.parse(at) / 1000);
  return [times, curve.map(({ risk }) => risk), times.map(() => threshold)];
}

function options(colour: (variable: string) => string, count: number, clock: Props['clock']): Omit<uPlot.Options, 'width' | 'height'> {
  return {
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: true }, y: { range: [0, 100] } },
    axes: [
      { ...axis(colour), space: 64, values: (_, ticks) => ticks.map((tick) => clock(tick * 1000)) },
      { ...axis(colour), size: 40 },
    ],
    series: [
      {},
      { stroke: colour('--alert'), width: 3, fill: colour('--alert-soft'), points: { show: count < 4 } },
      { stroke: colour('--text'), width: 2, dash: [8, 6], points: { show: false } },
    ],
  };
}
