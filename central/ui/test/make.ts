// Sites and alerts for the tests of pure parts.
import type { Alert, SiteRow } from '../src/wire';

export const NOW = Date.parse('2026-11-25T09:00:00Z');
export const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

export function site(change: Partial<SiteRow> = {}): SiteRow {
  return {
    warehouse_id: 'w1', name: 'Leipzig', state: 'healthy', reasons: [], since: ago(3600), edges: 1, edges_silent: 0, backlog: 0, oldest_age_seconds: null,
    drain_seconds: null, last_heartbeat_at: ago(3), last_progress_at: ago(2), last_event_time: ago(2), events_per_second: 12, alerts_open: 0,
    alerts_unacknowledged: 0, dead_letters_open: 0, missing: 0, completeness: { state: 'complete', text: 'complete', missing: 0, backlog: 0, drain_seconds: null }, ...change,
  };
}

export function alert(change: Partial<Alert> = {}): Alert {
  return {
    alert_id: 'a1', warehouse_id: 'w1', edge_id: 'e1', revision: 1, state: 'raised', subject: 'risk', rule: 'sustained-risk', severity: 'warning', zone_id: 'z1',
    camera_id: 'c1', started_at: ago(42), raised_at: ago(39), ended_at: null, peak: 92, peak_at: ago(10), events: 300, episodes: 1, summary: 'risk', stored_at: ago(38),
    acknowledged: null, silenced: null, ...change,
  };
}

export const byName = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });
