// How many periods are complete, of those about which anything can be said.

import type { CompletenessPeriod } from './wire';

type Judged = Pick<CompletenessPeriod, 'state' | 'accepted' | 'buffered'>;

/** Nothing waits: it only goes on, as the present shift does. */
export const goesOn = ({ state, buffered }: Judged) => state === 'filling' && buffered === 0;

/** Periods in which nothing was accepted, and those that go on, are neither; of how many nothing is known, is told apart. */
export function tally(periods: readonly Judged[]): { complete: number; all: number; unknown: number } {
  const said = periods.filter((own) => !goesOn(own) && (own.accepted > 0 || own.state !== 'complete'));
  const unknown = said.filter(({ state }) => state === 'unknown').length;
  return { complete: said.filter(({ state }) => state === 'complete').length, all: said.length - unknown, unknown };
}
