// The pairs of periods that people compare. Both sides are as long as each other in the site's days: half a week is held
// against the same half of the week before, not against all of it.

import { dayStart, parseLocal, type Range } from '../range';

export interface Pair {
  now: Range;
  before: Range;
}

export const PAIRS = ['week', 'last-week', 'day', 'four-weeks'] as const;
export type PairName = (typeof PAIRS)[number];

/** Days since Monday, in the zone. */
function weekday(zone: string, at: number): number {
  const name = new Intl.DateTimeFormat('en', { timeZone: zone, weekday: 'short' }).format(at);
  return Math.max(0, ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(name));
}

export function pair(name: PairName, zone: string, now: number): Pair {
  const start = (days: number) => dayStart(zone, now, days);
  /** The same time of day, `days` before; what a change of the clocks took is not made up for. */
  const soFar = (days: number) => Math.min(start(days) + (now - start(0)), start(days + 1));
  const monday = -weekday(zone, now);
  switch (name) {
    case 'week': return { now: { from: start(monday), to: now }, before: { from: start(monday - 7), to: soFar(-7) } };
    case 'last-week': return { now: { from: start(monday - 7), to: start(monday) }, before: { from: start(monday - 14), to: start(monday - 7) } };
    // A Monday is like a Monday, not like a Sunday.
    case 'day': return { now: { from: start(0), to: now }, before: { from: start(-7), to: soFar(-7) } };
    case 'four-weeks': return { now: { from: start(-28), to: start(0) }, before: { from: start(-56), to: start(-28) } };
  }
}

/** As long, right before it. */
export const previous = ({ from, to }: Range): Range => ({ from: from - (to - from), to: from });

/**
 * What the URL's `with` asks for: a pair by name, or `2026-11-16T00:00..2026-11-18T09:30` on the site's clocks to hold
 * `range` against; anything else, as `previous`, is the time right before it. `null` if there is nothing to compare.
 */
export function asked(text: string, range: Range | null, zone: string, now: number): Pair | null {
  const named = PAIRS.find((one) => one === text);
  if (named) return pair(named, zone, now);
  if (range === null) return null;
  const [from, to] = text.includes('..') ? text.split('..', 2).map((end) => parseLocal(zone, end)) : [];
  if (from === undefined || to === undefined) return { now: range, before: previous(range) };
  return from !== null && to !== null && to > from ? { now: range, before: { from, to } } : null;
}
