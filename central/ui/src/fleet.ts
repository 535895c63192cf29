// The fleet's list: which sites, in which order, and how many of each state. Pure.

import type { SiteRow, SiteState } from './wire';

/** Worst first. Never heard of is worse than well, and no alarm. */
export const STATES: readonly SiteState[] = ['offline', 'stale', 'degraded', 'unknown', 'healthy'];

const rank = (state: SiteState) => (STATES.indexOf(state) + STATES.length) % STATES.length;

/** What wants somebody comes first: the worse state, then people at risk nobody sees to, then what is lost, then what waits. */
export function worstFirst(byName: (a: string, b: string) => number) {
  return (a: SiteRow, b: SiteRow) =>
    rank(a.state) - rank(b.state)
    || b.alerts_unacknowledged - a.alerts_unacknowledged
    || b.missing - a.missing
    || b.backlog - a.backlog
    || byName(a.name ?? a.warehouse_id, b.name ?? b.warehouse_id);
}

export type Counts = Record<SiteState, number>;

export interface Summary {
  counts: Counts;
  alerts: number;
  unacknowledged: number;
  backlog: number;
  missing: number;
  dead: number;
}

export function summary(sites: Iterable<SiteRow>): Summary {
  const sum: Summary = { counts: { offline: 0, stale: 0, degraded: 0, unknown: 0, healthy: 0 }, alerts: 0, unacknowledged: 0, backlog: 0, missing: 0, dead: 0 };
  for (const site of sites) {
    sum.counts[site.state] += 1;
    sum.alerts += site.alerts_open;
    sum.unacknowledged += site.alerts_unacknowledged;
    sum.backlog += site.backlog;
    sum.missing += site.missing;
    sum.dead += site.dead_letters_open;
  }
  return sum;
}

/** Whether a site is meant: by its state, and by its name, id or what is wrong with it. */
export function meant(site: SiteRow, state: string, text: string): boolean {
  if (state && site.state !== state) return false;
  const wanted = text.trim().toLowerCase();
  return !wanted || [site.name ?? '', site.warehouse_id, ...site.reasons].some((own) => own.toLowerCase().includes(wanted));
}
