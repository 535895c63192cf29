// A trend as the chart wants it: columns of numbers with holes where nothing is known, and the runs of buckets that are
// holes, each with why.

import { atRisk, known, type Known } from './figures';
import type { Bucket } from './wire';

export interface Series {
  /** Buckets by their place in time: shifts and days that a clock change stretches have no even width. */
  x: number[];
  mean: (number | null)[];
  p95: (number | null)[];
  max: (number | null)[];
  /** Percent of the observed time. */
  atRisk: (number | null)[];
  holes: Hole[];
  /** Nothing known anywhere. */
  empty: boolean;
}

export interface Hole {
  /** First and last bucket of the run. */
  from: number;
  to: number;
  why: Exclude<Known, 'data'>;
}

export function series(buckets: readonly Bucket[]): Series {
  const hide = (bucket: Bucket, value: number | null) => (known(bucket) === 'data' ? value : null);
  const share = (bucket: Bucket) => {
    const part = atRisk(bucket);
    return part === null ? null : part * 100;
  };
  return {
    x: buckets.map((_, index) => index),
    mean: buckets.map((one) => hide(one, one.mean)),
    p95: buckets.map((one) => hide(one, one.p95)),
    max: buckets.map((one) => hide(one, one.max)),
    atRisk: buckets.map(share),
    holes: holes(buckets),
    empty: buckets.every((one) => known(one) === 'nodata'),
  };
}

export function holes(buckets: readonly Bucket[]): Hole[] {
  const found: Hole[] = [];
  buckets.forEach((bucket, index) => {
    const why = known(bucket);
    if (why === 'data') return;
    const last = found[found.length - 1];
    if (last && last.why === why && last.to === index - 1) last.to = index;
    else found.push({ from: index, to: index, why });
  });
  return found;
}

/** The least round top of an axis of shares: 1 % looks like nothing on a scale that ends at 100. */
export function shareTop(values: readonly (number | null)[]): number {
  const most = Math.max(0, ...values.map((value) => value ?? 0));
  return [1, 2, 5, 10, 20, 50].find((top) => most <= top) ?? 100;
}
