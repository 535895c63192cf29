// Which alerts a list shows, and in which order. Pure.

import type { Severity } from '../../../common/ui/parts/Icon';
import type { Alert } from './wire';

export const STATES = ['open', 'raised', 'acknowledged', 'silenced', 'cleared'] as const;

export interface Filter {
  state: (typeof STATES)[number];
  site: string;
  severity: string;
  subject: string;
  q: string;
}

const RANK: Record<Severity, number> = { critical: 2, warning: 1, notice: 0 };

export const open = (alert: Alert) => alert.ended_at === null;

export function admits(filter: Filter, alert: Alert, text: string): boolean {
  const state = {
    open: () => open(alert),
    // Silenced ones too, as in the API: each row says that it is, and they come last.
    raised: () => alert.state === 'raised',
    acknowledged: () => alert.state === 'acknowledged',
    silenced: () => alert.silenced !== null,
    cleared: () => !open(alert),
  }[filter.state];
  const wanted = filter.q.trim().toLowerCase();
  return (
    state()
    && (!filter.site || alert.warehouse_id === filter.site)
    && (!filter.severity || alert.severity === filter.severity)
    && (!filter.subject || alert.subject === filter.subject)
    && (!wanted || text.toLowerCase().includes(wanted))
  );
}

/** What wants somebody comes first, the worst of it on top, the longest of equals; then what is over, the latest first. */
export function order(a: Alert, b: Alert): number {
  return (
    place(a) - place(b)
    || (open(a) ? RANK[b.severity] - RANK[a.severity] || text(a.started_at, b.started_at) : text(b.raised_at, a.raised_at))
    || text(a.alert_id, b.alert_id)
  );
}

/** Times in UTC sort as text. */
const text = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function place(alert: Alert): number {
  if (!open(alert)) return 4;
  if (alert.silenced) return 3;
  if (alert.state === 'acknowledged') return 2;
  return alert.subject === 'risk' ? 0 : 1;
}

/** Everything that happened to an alert, in order. */
export interface Moment {
  at: string;
  kind: string;
  by: string | null;
  note: string | null;
  origin: 'edge' | 'headquarters';
}

export function story(alert: Alert, facts: readonly { kind: string; by: string; at: string; note: string | null; origin: 'edge' | 'headquarters' }[]): Moment[] {
  const moments: Moment[] = [
    { at: alert.started_at, kind: 'began', by: null, note: null, origin: 'edge' },
    { at: alert.raised_at, kind: 'raised', by: null, note: null, origin: 'edge' },
    ...facts.map(({ at, kind, by, note, origin }) => ({ at, kind, by, note, origin })),
  ];
  if (alert.peak_at && alert.peak !== null) moments.push({ at: alert.peak_at, kind: 'peak', by: null, note: String(Math.round(alert.peak)), origin: 'edge' });
  if (alert.ended_at) moments.push({ at: alert.ended_at, kind: 'over', by: null, note: null, origin: 'edge' });
  // A stable sort: of two at the same time the earlier in the list came first.
  return moments.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}
