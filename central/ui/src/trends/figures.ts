// What a set of figures says, before any colour or word: data, no data, or too few people to say. The three are never
// merged, and none of them is zero.

import type { Figures } from './wire';

export type Known = 'data' | 'nodata' | 'suppressed';

export function known(figures: Figures): Known {
  if (figures.suppressed) return 'suppressed';
  return (figures.events ?? 0) > 0 && figures.mean !== null ? 'data' : 'nodata';
}

/** Share of the observed time at risk, 0 to 1. */
export function atRisk(figures: Figures): number | null {
  if (known(figures) !== 'data' || !figures.seconds_observed) return null;
  return Math.min(1, (figures.seconds_at_risk ?? 0) / figures.seconds_observed);
}

/** What a colour or a rank is made from. */
export const MEASURES = ['mean', 'p95', 'at_risk'] as const;
export type Measure = (typeof MEASURES)[number];

export function measure(figures: Figures, which: Measure): number | null {
  if (known(figures) !== 'data') return null;
  return which === 'at_risk' ? atRisk(figures) : figures[which];
}

/** Lower bounds of the steps after the first; fixed, so that zones, weeks and sites compare. Scores above 70 are REBA's "high". */
export const STEPS: Record<Measure, readonly number[]> = {
  mean: [15, 30, 50, 70],
  p95: [15, 30, 50, 70],
  at_risk: [0.01, 0.03, 0.08, 0.2],
};

/** 0 (least) to 4 (most). */
export function step(value: number, which: Measure): number {
  return STEPS[which].filter((bound) => value >= bound).length;
}
