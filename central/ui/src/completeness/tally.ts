// How many periods are complete, of those about which anything can be said.

import type { CompletenessPeriod } from './wire';

type Judged = Pick<CompletenessPeriod, 'state' | 'accepted'>;

/** Periods in which nothing was accepted are neither. */
export function tally(periods: readonly Judged[]): { complete: number; all: number } {
  const said = periods.filter(({ accepted, state }) => accepted > 0 || state === 'missing' || state === 'filling');
  return { complete: said.filter(({ state }) => state === 'complete').length, all: said.length };
}
