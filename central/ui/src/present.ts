// The present as headquarters tells it: one value, and the one function that carries it forward. Pure.

import type { Alert, Message, Outdated, Rates, SiteRow } from './wire';

export interface Present {
  run: string | null;
  seq: number;
  version: string | null;
  /** Whether anything was ever told: no site known is not the same as none there. */
  told: boolean;
  sites: ReadonlyMap<string, SiteRow>;
  /** Open ones, and for a while those that ended under our eyes. */
  alerts: ReadonlyMap<string, Alert>;
  rates: Rates | null;
  outdated: Outdated | null;
  /** Changes that this screen was too slow for, since it was loaded. */
  missed: number;
}

export const nothing: Present = {
  run: null,
  seq: 0,
  version: null,
  told: false,
  sites: new Map(),
  alerts: new Map(),
  rates: null,
  outdated: null,
  missed: 0,
};

/** A cleared alert leaves the live list after this: what is older is history, and asked for. */
const CLEARED_KEPT_MS = 600_000;

/** Carries `present` over a handful of messages. `now` is the server's clock in ms. */
export function carry(present: Present, messages: readonly Message[], now: number): Present {
  const next = { ...present };
  let sites: Map<string, SiteRow> | null = null;
  let alerts: Map<string, Alert> | null = null;
  for (const message of messages) {
    switch (message.type) {
      case 'snapshot':
        next.run = message.run;
        next.seq = message.seq;
        next.version = message.version;
        next.told = true;
        sites = new Map((message.sites ?? []).map((site) => [site.warehouse_id, site]));
        alerts = new Map((message.alerts ?? []).map((alert) => [alert.alert_id, alert]));
        next.rates = message.rates ?? null;
        next.outdated = message.rates?.outdated ?? null;
        break;
      case 'resumed':
        next.run = message.run;
        next.version = message.version ?? next.version;
        break;
      case 'change':
        next.seq = message.seq;
        if (message.topic === 'sites') {
          sites ??= new Map(next.sites);
          if (message.site) sites.set(message.site.warehouse_id, message.site);
          if (message.gone) sites.delete(message.gone);
        } else if (message.topic === 'alerts') {
          alerts ??= new Map(next.alerts);
          if (message.alert) put(alerts, message.alert);
          if (message.gone) alerts.delete(message.gone);
        } else if (message.topic === 'rates') {
          next.rates = message.rates;
          next.outdated = message.rates.outdated ?? null;
        }
        break;
      case 'beat':
        next.seq = Math.max(next.seq, message.seq);
        break;
      case 'missed':
        next.missed += message.count;
        break;
    }
  }
  if (sites) next.sites = sites;
  if (alerts) {
    for (const [id, { ended_at }] of alerts) {
      if (ended_at !== null && now - Date.parse(ended_at) > CLEARED_KEPT_MS) alerts.delete(id);
    }
    next.alerts = alerts;
  }
  return next;
}

/** Of two views of an alert the one with the greater revision holds; of equal ones the later. */
export function put(alerts: Map<string, Alert>, alert: Alert): void {
  const known = alerts.get(alert.alert_id);
  if (!known || known.revision <= alert.revision) alerts.set(alert.alert_id, alert);
}
