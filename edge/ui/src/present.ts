// The present as the edge tells it: one value, and the one function that carries it forward. Pure.

import type { Alert, Health, Message, Snapshot } from './wire';

export interface Seen {
  snapshot: Snapshot;
  /** By the server's clock, in ms: when it was news. */
  at: number;
}

export interface Present {
  run: string | null;
  seq: number;
  version: string | null;
  alerts: ReadonlyMap<string, Alert>;
  /** The latest per zone and camera. */
  snapshots: ReadonlyMap<string, Seen>;
  health: Health | null;
  /** Changes that this screen was too slow for, since it was loaded. */
  missed: number;
}

export const nothing: Present = {
  run: null,
  seq: 0,
  version: null,
  alerts: new Map(),
  snapshots: new Map(),
  health: null,
  missed: 0,
};

/** A cleared alert leaves the list after this: what is older is history, and asked for. */
const CLEARED_KEPT_MS = 3_600_000;
/** More than these are not kept beside the open ones. */
const CLEARED_MAX = 1_000;

/** Carries `present` over a handful of messages. `now` is the server's clock in ms. */
export function carry(present: Present, messages: readonly Message[], now: number): Present {
  let { run, seq, version, alerts, snapshots, health, missed } = present;
  let ownAlerts: Map<string, Alert> | null = null;
  let ownSnapshots: Map<string, Seen> | null = null;
  const see = (snapshot: Snapshot, at: number) => {
    snapshots = ownSnapshots ??= new Map(snapshots);
    ownSnapshots.set(`${snapshot.zone_id} ${snapshot.camera_id}`, { snapshot, at });
  };
  for (const message of messages) {
    switch (message.type) {
      case 'snapshot': {
        ({ run, seq, version } = message);
        const server = Date.parse(message.server_time);
        alerts = ownAlerts = new Map((message.alerts ?? []).map((alert) => [alert.alert_id, alert]));
        ownSnapshots = new Map();
        snapshots = ownSnapshots;
        for (const one of message.snapshots ?? []) see(one, Math.min(Date.parse(one.event_time), server));
        health = message.health ?? null;
        break;
      }
      case 'resumed':
        ({ run } = message);
        version = message.version ?? version;
        break;
      case 'change':
        seq = message.seq;
        if (message.topic === 'health') health = message.health;
        else if (message.topic === 'snapshots') for (const one of message.snapshots) see(one, now);
        else {
          alerts = ownAlerts ??= new Map(alerts);
          put(ownAlerts, message.alert);
        }
        break;
      case 'beat':
        seq = Math.max(seq, message.seq);
        break;
      case 'missed':
        missed += message.count;
        break;
    }
  }
  if (ownAlerts) forget(ownAlerts, now);
  return { run, seq, version, alerts, snapshots, health, missed };
}

/** Of two views of an alert the one with the greater revision holds; of equal ones the later. */
export function put(alerts: Map<string, Alert>, alert: Alert): void {
  const known = alerts.get(alert.alert_id);
  if (!known || known.revision <= alert.revision) alerts.set(alert.alert_id, alert);
}

function forget(alerts: Map<string, Alert>, now: number): void {
  const cleared: Alert[] = [];
  for (const alert of alerts.values()) if (alert.state === 'cleared') cleared.push(alert);
  cleared.sort((a, b) => ended(b) - ended(a));
  cleared.forEach((alert, index) => {
    if (index >= CLEARED_MAX || (!alert.late && now - ended(alert) > CLEARED_KEPT_MS)) alerts.delete(alert.alert_id);
  });
}

const ended = (alert: Alert) => Date.parse(alert.ended_at ?? alert.raised_at);
