// Two periods side by side, honestly: a difference is only said where both sides are known, and never without a word about
// how much of each was seen.

import { atRisk, known } from './figures';
import type { Figures } from './wire';

/** Why the two cannot be held against each other. */
export interface NotCompared {
  kind: 'suppressed' | 'nodata';
  where: 'before' | 'after' | 'both';
}

export interface Compared {
  kind: 'lower' | 'higher' | 'same';
  before: number;
  after: number;
  /** Of before, so 0.12 is 12 %; `null` from zero. */
  part: number | null;
}

export type Verdict = Compared | NotCompared;

export const isCompared = (verdict: Verdict): verdict is Compared => 'before' in verdict;

export type Subject = 'mean' | 'p95' | 'max' | 'at_risk';

/** Closer than half a point of risk, or a twentieth of a percent of time, is the noise of who happened to be on shift. */
const SAME: Record<Subject, number> = { mean: 0.5, p95: 0.5, max: 0.5, at_risk: 0.0005 };

export function compare(after: Figures, before: Figures, subject: Subject): Verdict {
  for (const kind of ['nodata', 'suppressed'] as const) {
    const [b, a] = [known(before) === kind, known(after) === kind];
    if (a || b) return { kind, where: a && b ? 'both' : a ? 'after' : 'before' };
  }
  const value = (figures: Figures) => (subject === 'at_risk' ? atRisk(figures) : figures[subject]);
  const [b, a] = [value(before), value(after)];
  if (a === null || b === null) return { kind: 'nodata', where: a === null && b === null ? 'both' : a === null ? 'after' : 'before' };
  const kind = Math.abs(a - b) < SAME[subject] ? 'same' : a < b ? 'lower' : 'higher';
  return { kind, before: b, after: a, part: b === 0 ? null : Math.abs(a - b) / b };
}

export type Caution = 'fewer' | 'more' | 'little' | 'unknown';

/** Beyond this the two periods did not look at the same share of the work. */
const COVERAGE_APART = 0.1;
/** Less than half seen says little of the whole. */
const COVERAGE_LITTLE = 0.5;

/** Why a reader should not trust the difference alone; `null` if nothing speaks against it. */
export function caution(after: Figures, before: Figures): Caution | null {
  if (known(after) === 'nodata' || known(before) === 'nodata') return null;
  if (after.coverage === null || before.coverage === null) return 'unknown';
  if (Math.abs(after.coverage - before.coverage) > COVERAGE_APART) return after.coverage < before.coverage ? 'fewer' : 'more';
  return Math.min(after.coverage, before.coverage) < COVERAGE_LITTLE ? 'little' : null;
}
