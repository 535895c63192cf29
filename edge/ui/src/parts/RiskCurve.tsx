// The risk of those seconds, with the threshold it crossed.

import type uPlot from 'uplot';
import { axis, Plot } from '../../../../common/ui/parts/Plot';
import { clockSeconds, score } from '../format';
import { t } from '../i18n';
import type { AlertDetail } from '../wire';

/** Points in the table for those who cannot see the drawing. */
const ROWS_MAX = 30;
const HEIGHT = 220;

export function RiskCurve({ curve, threshold, peak }: { curve: AlertDetail['curve']; threshold: number | null; peak: number | null }) {
  if (curve.length === 0) return <p class="empty">{t.value.noCurve}</p>;
  const step = Math.ceil(curve.length / ROWS_MAX);
  return (
    <figure class="curve">
      <figcaption>
        {t.value.curve}
        {threshold !== null && <span class="legend"> – – {t.value.threshold} {threshold}</span>}
      </figcaption>
      <Plot label={`${t.value.curve}. ${t.value.peak} ${score(peak)}. ${t.value.threshold} ${threshold ?? t.value.none}.`}
        height={HEIGHT} data={points(curve, threshold)} options={(colour) => options(colour, curve.length)} follows={[curve, threshold]} />
      <div class="visually-hidden">
      <table>
        <caption>{t.value.curve}</caption>
        <thead><tr><th scope="col">{t.value.at}</th><th scope="col">{t.value.risk}</th></tr></thead>
        <tbody>
          {curve.filter((_, index) => index % step === 0).map(({ t: at, risk }) => (
            <tr key={at}><td>{clockSeconds(at)}</td><td>{score(risk)}</td></tr>
          ))}
        </tbody>
      </table>
      </div>
    </figure>
  );
}

function points(curve: AlertDetail['curve'], threshold: number | null): uPlot.AlignedData {
  const times = curve.map(({ t: at }) => Date.parse(at) / 1000);
  return [times, curve.map(({ risk }) => risk), times.map(() => threshold)];
}

function options(colour: (variable: string) => string, count: number): Omit<uPlot.Options, 'width' | 'height'> {
  return {
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: true }, y: { range: [0, 100] } },
    axes: [
      { ...axis(colour), space: 64, values: (_, ticks) => ticks.map((tick) => clockSeconds(tick * 1000)) },
      { ...axis(colour), size: 40 },
    ],
    series: [
      {},
      { stroke: colour('--alert'), width: 3, fill: colour('--alert-soft'), points: { show: count < 4 } },
      { stroke: colour('--text'), width: 2, dash: [8, 6], points: { show: false } },
    ],
  };
}
