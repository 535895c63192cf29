// The one store: what headquarters told us, and how we stand to it. Everything shown is derived from these.

import { computed, signal } from '@preact/signals';
import { shortId } from '../../../common/ui/ids';
import { link as line, skew, type Link } from '../../../common/ui/socket';
import { nothing, put, type Present } from './present';
import type { Alert, Scope, Session } from './wire';

/** When the picture was last asked for without a line, ms of our clock; `null` where there is one, or nothing came. */
export const polledAt = signal<number | null>(null);
/** A polled picture older than this is not the present. */
const POLLED_MAX_MS = 25_000;

export const present = signal<Present>(nothing);
export const sites = computed(() => present.value.sites);
export const alerts = computed(() => present.value.alerts);
export const told = computed(() => present.value.told);

/** Who we are: not asked yet, nobody, or somebody. */
export const session = signal<Session | 'unknown' | 'nobody'>('unknown');
/** Why nobody is let in. */
export const refusal = signal<{ code: string; message: string } | null>(null);

export const me = computed(() => (typeof session.value === 'object' ? session.value : null));
/** What would be refused is not offered. */
export const may = (scope: Scope) => me.value?.scopes.includes(scope) ?? false;

export const local = signal(Date.now());
/** How we stand to headquarters: `polled` is up, but some seconds behind. */
export const link = computed<{ phase: Link['phase'] | 'polled'; since: number }>(() => {
  const own = line.value;
  const polled = polledAt.value;
  if (own.phase === 'up' || polled === null) return own;
  return local.value - polled < POLLED_MAX_MS ? { phase: 'polled', since: own.since } : { phase: 'lost', since: polled };
});

/** The server's clock, in ms, each second. */
export const now = computed(() => local.value + skew.value);
/** The same in steps of ten seconds: for long lists, where nobody needs to see seconds count. */
export const slow = computed(() => Math.floor(now.value / 10_000) * 10_000);

export const siteName = (id: string) => sites.value.get(id)?.name ?? shortId(id);

/** An answer to an action is news too, often before the socket brings it. */
export function learn(alert: Alert): void {
  const known = new Map(alerts.value);
  put(known, alert);
  present.value = { ...present.value, alerts: known };
}

setInterval(() => (local.value = Date.now()), 1_000);
