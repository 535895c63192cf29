// How many periods are complete, of those about which anything can be said, and what is said beyond that. Pure.

import type { CompletenessPeriod } from './wire';

type Judged = Pick<CompletenessPeriod, 'state' | 'accepted' | 'buffered' | 'ran' | 'text'>;

/** Nothing waits: it only goes on, as the present shift does. */
export const goesOn = ({ state, buffered }: Pick<Judged, 'state' | 'buffered'>) => state === 'filling' && buffered === 0;

/** What the server says of why it is not known, in English. */
export const unknownWhy = (text: string) => /^unknown \((.*)\)$/.exec(text)?.[1] ?? null;

const NO_EDGE_RAN = 'no edge ran';

/** No edge was there, or none was on: nobody will ever tell more. */
export function neverKnown({ state, ran, text }: Pick<Judged, 'state' | 'ran' | 'text'>): 'no-edge' | 'none-ran' | null {
  if (state !== 'unknown') return null;
  return ran === null ? 'no-edge' : unknownWhy(text) === NO_EDGE_RAN ? 'none-ran' : null;
}

export interface Tally {
  complete: number;
  all: number;
  /** All arrived, and some of it could not be stored: in `all`, and not complete. */
  dead: number;
  unknown: number;
  never: number;
}

/** Periods in which nothing was accepted, and those that go on, are neither; of how many nothing is known, is told apart. */
export function tally(periods: readonly Judged[]): Tally {
  const said = periods.filter((own) => !goesOn(own) && (own.accepted > 0 || own.state !== 'complete'));
  const of = (which: Judged['state']) => said.filter(({ state }) => state === which);
  const unknown = of('unknown');
  const never = unknown.filter((own) => neverKnown(own) !== null).length;
  return { complete: of('complete').length, all: said.length - unknown.length, dead: of('dead_lettered').length, unknown: unknown.length - never, never };
}
