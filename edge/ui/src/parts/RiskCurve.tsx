// The risk of those seconds, with the threshold it crossed.

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { clockSeconds, score } from '../format';
import { t } from '../i18n';
import type { AlertDetail } from '../wire';

/** Points in the table for those who cannot see the drawing. */
const ROWS_MAX = 30;
const HEIGHT = 220;

export function RiskCurve({ curve, threshold, peak }: { curve: AlertDetail['curve']; threshold: number | null; peak: number | null }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const own = box.current;
    if (!own || curve.length === 0) return;
    const plot = draw(own, curve, threshold);
    const fit = new ResizeObserver(() => plot.setSize({ width: own.clientWidth, height: HEIGHT }));
    fit.observe(own);
    return () => {
      fit.disconnect();
      plot.destroy();
    };
  }, [curve, threshold]);
  if (curve.length === 0) return <p class="empty">{t.value.noCurve}</p>;
  const step = Math.ceil(curve.length / ROWS_MAX);
  return (
    <figure class="curve">
      <figcaption>
        {t.value.curve}
        {threshold !== null && <span class="legend"> – – {t.value.threshold} {threshold}</span>}
      </figcaption>
      <div ref={box} class="plot" role="img" aria-label={`${t.value.curve}. ${t.value.peak} ${score(peak)}. ${t.value.threshold} ${threshold ?? t.value.none}.`} />
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

function draw(box: HTMLElement, curve: AlertDetail['curve'], threshold: number | null): uPlot {
  const style = getComputedStyle(box);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const times = curve.map(({ t: at }) => Date.parse(at) / 1000);
  const axis = { stroke: colour('--text-2'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
  return new uPlot(
    {
      width: box.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: true }, y: { range: [0, 100] } },
      axes: [
        { ...axis, space: 64, values: (_, ticks) => ticks.map((tick) => clockSeconds(tick * 1000)) },
        { ...axis, size: 40 },
      ],
      series: [
        {},
        { stroke: colour('--alert'), width: 3, fill: colour('--alert-soft'), points: { show: curve.length < 4 } },
        { stroke: colour('--text'), width: 2, dash: [8, 6], points: { show: false } },
      ],
    },
    [times, curve.map(({ risk }) => risk), times.map(() => threshold)],
    box,
  );
}
