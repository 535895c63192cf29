// Events by score, 5 to a bar, with the percentiles where they stand.

/** Width of a bin in points of risk. */
export const BIN = 5;

export interface Bar {
  from: number;
  to: number;
  events: number;
  /** Height, 0 to 1 of the highest. */
  part: number;
  /** Share of all events, 0 to 1. */
  share: number;
}

export function bars(bins: readonly number[]): Bar[] {
  const most = Math.max(0, ...bins);
  const all = bins.reduce((sum, own) => sum + own, 0);
  return bins.map((events, index) => ({
    from: index * BIN,
    to: (index + 1) * BIN,
    events,
    part: most === 0 ? 0 : events / most,
    share: all === 0 ? 0 : events / all,
  }));
}
