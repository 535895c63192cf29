// Alerts, zones and messages for the tests of pure parts.
import { nothing, type Present, type Seen } from '../src/present';
import type { Alert, Site } from '../src/wire';

export const NOW = Date.parse('2026-11-24T09:00:00Z');
export const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

export function alert(change: Partial<Alert> = {}): Alert {
  return {
    alert_id: 'a1', revision: 1, state: 'raised', subject: 'risk', rule: 'sustained-risk', severity: 'warning', zone_id: 'z1', zone: 'Picking',
    camera_id: 'c1', camera: null, started_at: ago(42), raised_at: ago(39), ended_at: null, latest: 80, peak: 92, peak_at: ago(10), events: 300,
    episodes: 1, summary: 'risk', late: false, acknowledged: null, silenced: null, ...change,
  };
}

export const site: Site = {
  name: 'Leipzig', time_zone: 'Europe/Berlin', version: '1', no_data_after_seconds: 60,
  zones: [{ zone_id: 'z1', name: 'Picking' }, { zone_id: 'z2', name: 'Receiving' }],
  cameras: [{ camera_id: 'c1', name: null, zone_id: 'z1' }, { camera_id: 'c2', name: null, zone_id: 'z2' }],
  rules: [{ name: 'sustained-risk', threshold: 70, clear_below: 70, for_seconds: 3, severity: 'warning' }],
};

export const silenced = { silence_id: 's1', reason: 'training', until: ago(-600) };

/** Zones heard so many seconds ago, and alerts. */
export function present(heard: Record<string, number>, alerts: Alert[] = []): Present {
  const snapshots = new Map<string, Seen>();
  for (const [zone_id, seconds] of Object.entries(heard)) {
    const camera_id = zone_id.replace('z', 'c');
    const snapshot = { event_time: ago(seconds), zone_id, camera_id, source: 'camera', risk_score: 33, confidence: 0.9 };
    snapshots.set(`${zone_id} ${camera_id}`, { snapshot, at: NOW - seconds * 1000 });
  }
  return { ...nothing, run: 'r', snapshots, alerts: new Map(alerts.map((one) => [one.alert_id, one])) };
}
