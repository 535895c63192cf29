// Risk over time. Where nothing is known the drawing has a hatched gap with the reason, the same is said bucket by bucket
// below, and stands in the table.

import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { axis, Plot } from '../../../../common/ui/parts/Plot';
import { day, time } from '../format';
import { language, t } from '../i18n';
import { FiguresTable } from './FiguresTable';
import { hatch } from './hatch';
import { series, shareTop, type Series } from './series';
import type { Bucket, By, Trend as Answer } from './wire';
import { reading } from './words';

const RISK_HEIGHT = 250;
const SHARE_HEIGHT = 140;
/** Beside the drawing, px: to the right is half a date, for the last label stands in the middle of its bucket. */
const LEFT = 52;
const RIGHT = 44;
/** Half of a range input's handle, px. */
const HANDLE = 8;
/** REBA's "high". */
const HIGH = 70;
/** Up to here each bucket has room for a dot of its own. */
const DOTS_MAX = 62;

export function Trend({ answer, by }: { answer: Answer; by: By }) {
  const w = t.value.figures;
  const { buckets, time_zone: zone } = answer;
  const drawn = series(buckets);
  const at = useSignal(buckets.length - 1);
  const chosen = Math.min(at.value, buckets.length - 1);
  const plots = useRef<Set<uPlot>>(new Set());
  /** Read by the drawings, which are not drawn anew for it. */
  const mark = useRef(chosen);
  mark.current = chosen;
  const choose = (index: number) => {
    at.value = index;
    mark.current = index;
    for (const plot of plots.current) plot.redraw(false);
  };
  const shared = { drawn, zone, by, buckets, mark, plots: plots.current, choose };
  const follows = [answer, language.value];
  const bucket = buckets[chosen];
  return (
    <figure class="trend" data-testid="trend">
      <figcaption class="trend-legend">
        <span class="key mean">{w.mean}</span><span class="key p95">{w.p95}</span><span class="key max">{w.max}</span><span class="key high">{HIGH}</span>
        {drawn.holes.some(({ why }) => why === 'nodata') && <span class="key nodata">{w.nodata}</span>}
        {drawn.holes.some(({ why }) => why === 'suppressed') && <span class="key suppressed">{w.few}</span>}
      </figcaption>
      <Plot label={`${w.view.trend}: ${w.mean}, ${w.p95}, ${w.max}`} height={RISK_HEIGHT} follows={follows}
        data={[drawn.x, drawn.max, drawn.p95, drawn.mean, drawn.x.map(() => HIGH)]}
        options={(colour) => ({ ...basics(colour, shared, false), scales: scales(buckets.length, 100), series: riskSeries(colour, buckets.length) })} />
      <p class="trend-share"><span class="key share">{w.atRisk}</span> <span class="dim">{w.shareAxis}</span></p>
      <Plot label={w.shareAxis} height={SHARE_HEIGHT} follows={follows}
        data={[drawn.x, drawn.atRisk]}
        options={(colour) => ({ ...basics(colour, shared, true, (value) => `${value} %`), scales: scales(buckets.length, shareTop(drawn.atRisk)), series: shareSeries(colour) })} />
      <label class="scrub">
        <span class="visually-hidden">{w.view.trend}: {w.readHint}</span>
        <input type="range" style={under(buckets.length)} min={0} max={buckets.length - 1} step={1} value={chosen} onInput={(event) => choose(Number(event.currentTarget.value))}
          aria-valuetext={bucket ? `${bucketName(bucket, by, zone)}: ${reading(bucket)}` : w.nodata} />
      </label>
      {bucket && <p class="reading" data-testid="reading"><strong>{bucketName(bucket, by, zone)}</strong> {reading(bucket)}</p>}
      <p class="dim">{w.readHint} {w.atRiskWhy} {w.nodataWhy}</p>
      <Table buckets={buckets} by={by} zone={zone} />
    </figure>
  );
}

function Table({ buckets, by, zone }: { buckets: readonly Bucket[]; by: By; zone: string }) {
  const open = useSignal(false);
  const w = t.value.figures;
  return (
    <details onToggle={(event) => (open.value = event.currentTarget.open)}>
      <summary>{w.table}</summary>
      {open.value && <FiguresTable id="buckets" caption={w.view.trend} head={w.bucket} byName={false} rows={buckets.map((bucket) => ({ key: bucket.from, name: bucketName(bucket, by, zone), figures: bucket }))} />}
    </details>
  );
}

/** "Early, Wed, 25 Nov", "Wed, 25 Nov 09:00 – 10:00", "Mon, 23 Nov – Sun, 29 Nov". */
export function bucketName({ name, from, to }: Bucket, by: By, zone: string): string {
  const last = Date.parse(to) - 1;
  switch (by) {
    case 'shift': return `${name ?? time(from, zone)}, ${day(from, zone)}`;
    case 'day': return day(from, zone);
    case 'week': return `${day(from, zone)} – ${day(last, zone)}`;
    default: return `${day(from, zone)} ${time(from, zone)} – ${time(to, zone)}`;
  }
}

interface Shared {
  drawn: Series;
  zone: string;
  by: By;
  buckets: readonly Bucket[];
  mark: { current: number };
  plots: Set<uPlot>;
  choose: (index: number) => void;
}

type Colour = (variable: string) => string;

function basics(colour: Colour, { drawn, zone, by, buckets, mark, plots, choose }: Shared, dated: boolean, value: (own: number) => string = String) {
  /** The date under a time only where it changes. */
  const tick = (index: number, last: number | null) => {
    const bucket = buckets[index];
    if (!bucket) return '';
    const date = day(bucket.from, zone);
    const fresh = last === null || !buckets[last] || day(buckets[last]!.from, zone) !== date;
    if (by === 'day' || by === 'week') return date;
    const name = by === 'shift' ? bucket.name ?? time(bucket.from, zone) : time(bucket.from, zone);
    return fresh ? `${name}\n${date}` : name;
  };
  return {
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    padding: [8, RIGHT, 0, 0] as uPlot.Padding,
    axes: [
      !dated ? { ...axis(colour), grid: { show: false }, size: 8, values: (_: uPlot, ticks: number[]) => ticks.map(() => '') } : {
        ...axis(colour), grid: { show: false }, space: by === 'day' || by === 'week' ? 90 : 76, size: by === 'day' || by === 'week' ? 30 : 46, incrs: STEPS,
        values: (_: uPlot, ticks: number[]) => ticks.map((index, place) => (Number.isInteger(index) ? tick(index, place > 0 ? ticks[place - 1]! : null) : '')),
      },
      { ...axis(colour), size: LEFT, values: (_: uPlot, ticks: number[]) => ticks.map((own) => value(own)) },
    ] as uPlot.Axis[],
    hooks: {
      ready: [(plot: uPlot) => void plots.add(plot)],
      destroy: [(plot: uPlot) => void plots.delete(plot)],
      drawClear: [(plot: uPlot) => drawn.holes.forEach((hole) => hatch(plot, hole, colour))],
      draw: [(plot: uPlot) => marker(plot, mark.current, colour('--focus'))],
      setCursor: [
        (plot: uPlot) => {
          const { idx, left } = plot.cursor;
          if (typeof idx === 'number' && left !== undefined && left >= 0 && idx !== mark.current) choose(idx);
        },
      ],
    },
  };
}

/** Puts the handle below the middle of the bucket it stands for. */
function under(buckets: number) {
  const bucket = `(100% - ${LEFT + RIGHT}px) / ${Math.max(1, buckets)}`;
  return { marginLeft: `calc(${LEFT - HANDLE}px + ${bucket} / 2)`, width: `calc(100% - ${LEFT + RIGHT - 2 * HANDLE}px - ${bucket})` };
}

/** Between two labels: whole buckets. */
const STEPS = [1, 2, 3, 4, 6, 7, 8, 12, 14, 24, 28, 48, 56, 96, 168, 192, 336, 672, 1344, 2688];

const scales = (buckets: number, top: number): uPlot.Scales => ({ x: { time: false, range: [-0.5, buckets - 0.5] }, y: { range: [0, top] } });

function riskSeries(colour: Colour, buckets: number): uPlot.Series[] {
  const dots = buckets <= DOTS_MAX;
  return [
    {},
    { stroke: colour('--text-2'), paths: () => null, points: { show: true, size: dots ? 6 : 3, width: 1.5, fill: colour('--surface') } },
    { stroke: colour('--trend-p95'), width: 2, dash: [7, 5], points: { show: dots, size: 5 } },
    { stroke: colour('--trend-mean'), width: 3, points: { show: dots, size: 7, fill: colour('--trend-mean') } },
    { stroke: colour('--alert'), width: 1, dash: [2, 4], points: { show: false } },
  ];
}

function shareSeries(colour: Colour): uPlot.Series[] {
  return [{}, { stroke: colour('--alert'), fill: colour('--alert'), width: 0, paths: uPlot.paths.bars!({ size: [0.7, 40], align: 0 }), points: { show: false } }];
}

function marker(plot: uPlot, index: number, colour: string): void {
  const x = plot.valToPos(index, 'x', true);
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}
