// The one store: what the edge told us, and how we stand to it. Everything shown is derived from these.

import { computed, signal } from '@preact/signals';
import { link, skew } from '../../../common/ui/socket';
import { headline, zonesNow } from './derive';
import { nothing, put, type Present } from './present';
import type { Alert, Session, Silence, Site } from './wire';

export const present = signal<Present>(nothing);
/** Changes only when an alert does, unlike the present, which every camera moves. */
export const alerts = computed(() => present.value.alerts);
export const site = signal<Site | null>(null);
export const silences = signal<Silence[]>([]);
export { link };

/** Who we are: not asked yet, nobody, or somebody. */
export const session = signal<Session | 'unknown' | 'nobody'>('unknown');
/** Why nobody is let in. */
export const refusal = signal<{ code: string; message: string } | null>(null);

export const local = signal(Date.now());
/** The server's clock, in ms, twice a second. */
export const now = computed(() => local.value + skew.value);

export const zones = computed(() => zonesNow(present.value, site.value, now.value));
export const state = computed(() => headline(link.value, present.value, zones.value));

export const mayAct = computed(() => {
  const who = session.value;
  return typeof who === 'object' && who.kind !== 'kiosk' && who.role !== 'viewer';
});

/** An answer to an action is news too, often before the socket brings it. */
export function learn(alert: Alert): void {
  const known = new Map(alerts.value);
  put(known, alert);
  present.value = { ...present.value, alerts: known };
}

setInterval(() => (local.value = Date.now()), 500);
