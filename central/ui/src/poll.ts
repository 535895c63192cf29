// The same picture without a WebSocket: some companies' proxies let none through. Asked for every few seconds for as long
// as there is no line, and said so.

import { get } from '../../../common/ui/api';
import { link as line, skew } from '../../../common/ui/socket';
import { ask } from './load';
import { carry, nothing } from './present';
import { polledAt, present } from './store';
import type { Alert, Outdated, SiteRow } from './wire';

const EVERY_MS = 10_000;
/** Pages of open alerts; a flood of more is not read in a list. */
const PAGES_MAX = 4;

interface Health {
  generated_at: string;
  events_per_second: number;
  sites: SiteRow[];
  outdated?: Outdated | null;
}

let timer: ReturnType<typeof setTimeout> | undefined;

/** Begins, unless it has. Ends by itself when the line is up. */
export function startPolling(): void {
  timer ??= setTimeout(() => void turn(), 0);
}

export function stopPolling(): void {
  clearTimeout(timer);
  timer = undefined;
  polledAt.value = null;
}

async function turn(): Promise<void> {
  if (line.peek().phase === 'up') return stopPolling();
  try {
    const [health, alerts] = await Promise.all([get<Health>('/api/v1/fleet/health'), openAlerts()]);
    if (timer === undefined || line.peek().phase === 'up') return stopPolling();
    const { generated_at: server_time, events_per_second, sites, outdated = null } = health;
    // An old picture says nothing of the time.
    if (!outdated) skew.value = Date.parse(server_time) - Date.now();
    // Of no run: the line, when it is there, begins with a picture of its own.
    const told = carry(nothing, [{ type: 'snapshot', run: '', seq: 0, server_time, version: present.peek().version ?? '', sites, alerts, rates: { events_per_second, outdated } }], Date.parse(server_time));
    present.value = { ...told, run: null };
    polledAt.value = Date.now();
  } catch {
    // What is shown grows old, which is seen; the next turn may do better.
  }
  if (timer !== undefined) timer = setTimeout(() => void turn(), EVERY_MS);
}

async function openAlerts(): Promise<Alert[]> {
  const all: Alert[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer: { alerts: Alert[]; next: string | null } = await get(ask('/api/v1/alerts', { state: 'open', limit: 500, cursor }));
    all.push(...answer.alerts);
    if (answer.next === null) break;
    cursor = answer.next;
  }
  return all;
}
