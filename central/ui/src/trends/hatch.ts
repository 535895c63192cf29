// A gap in a drawing: lines one way where there are no data, crossed where there are too few people to say.

import type uPlot from 'uplot';
import type { Hole } from './series';

const SPACING = 9;

export function hatch(plot: uPlot, { from, to, why }: Hole, colour: (variable: string) => string): void {
  const { ctx, bbox } = plot;
  const left = Math.max(bbox.left, plot.valToPos(from - 0.5, 'x', true));
  const right = Math.min(bbox.left + bbox.width, plot.valToPos(to + 0.5, 'x', true));
  const [top, height] = [bbox.top, bbox.height];
  if (right <= left) return;
  const spacing = SPACING * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, right - left, height);
  ctx.clip();
  ctx.strokeStyle = colour('--line');
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  // Counted from the page's edge, so that gaps side by side have lines that meet.
  for (let x = Math.floor((left - height) / spacing) * spacing; x < right; x += spacing) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
    if (why === 'suppressed') {
      ctx.moveTo(x, top);
      ctx.lineTo(x + height, top + height);
    }
  }
  ctx.stroke();
  ctx.restore();
}
