// What people do. Each action gets an id of its own before it is sent and is kept until the edge has answered, over lost
// links and reloads; sent twice it changes nothing.

import { signal } from '@preact/signals';
import { get, post, Problem } from './api';
import { t } from './i18n';
import { learn, link, now, session, silences } from './store';
import type { Alert, Silence } from './wire';

export interface Action {
  id: string;
  what: 'acknowledge' | 'silence' | 'end';
  /** The alert or silence it is about. */
  about: string;
  path: string;
  body: Record<string, unknown>;
  /** Whoever did it: nobody else's session may send it. */
  by: string;
  /** Server's clock, ms: what makes no sense any more after this is not sent. */
  until: number;
}

/** Kept for a day at most: an acknowledgement from yesterday says nothing about today. */
const KEPT_MS = 86_400_000;
const KEY = 'smartpick.actions';
const RETRY_MAX_MS = 10_000;

export const pending = signal<readonly Action[]>(load());
/** What was refused, for people to read. */
export const refused = signal<string | null>(null);

const sending = new Set<string>();

function load(): Action[] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '[]') as Action[];
  } catch {
    return [];
  }
}

function keep(actions: readonly Action[]): void {
  pending.value = actions;
  try {
    localStorage.setItem(KEY, JSON.stringify(actions));
  } catch {
    // A browser without storage keeps them as long as the page lives.
  }
}

/** A random UUID. `crypto.randomUUID` is not there on plain http, where most floors are. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const who = () => (typeof session.value === 'object' ? session.value.name : '');

function add(action: Omit<Action, 'by' | 'until'> & { until?: number }): void {
  keep([...pending.value, { by: who(), until: now.value + KEPT_MS, ...action }]);
  void send(action.id, 0);
}

export function acknowledge(alert: Alert, note = ''): void {
  if (pending.value.some((one) => one.what === 'acknowledge' && one.about === alert.alert_id)) return;
  const id = randomId();
  const body = { fact_id: id, ...(note.trim() ? { note: note.trim() } : {}) };
  add({ id, what: 'acknowledge', about: alert.alert_id, path: `/api/v1/alerts/${alert.alert_id}/acknowledge`, body });
}

export function silence(about: string, scope: Silence['scope'], reason: string, minutes: number): void {
  const id = randomId();
  // A point in time, not a span: sent late, it must not last longer.
  const until = now.value + minutes * 60_000;
  const body = { silence_id: id, scope, reason, until: new Date(until).toISOString() };
  add({ id, what: 'silence', about, path: '/api/v1/silences', body, until });
}

export function endSilence(silence_id: string): void {
  const id = randomId();
  add({ id, what: 'end', about: silence_id, path: `/api/v1/silences/${silence_id}/end`, body: { fact_id: id } });
}

/** Sends what waits: after a reload, a reconnection, a sign-in. */
export function flushActions(): void {
  for (const action of pending.value) void send(action.id, 0);
}

async function send(id: string, tries: number): Promise<void> {
  const action = pending.value.find((one) => one.id === id);
  if (!action || sending.has(id)) return;
  if (action.by !== who()) return;
  if (now.value > action.until) return settle(action, t.value.tooOld);
  sending.add(id);
  try {
    const answer = await post<unknown>(action.path, action.body);
    settle(action, null);
    if (action.what === 'acknowledge') learn(answer as Alert);
    else void refreshSilences();
  } catch (error) {
    const problem = error as Problem;
    // Signed out: it waits for whoever did it to come back.
    if (problem.status === 401) return;
    if (!(error instanceof Problem) || !problem.passing) return settle(action, problem.message);
    const wait = Math.random() * Math.min(RETRY_MAX_MS, 500 * 2 ** Math.min(tries, 6));
    setTimeout(() => void send(id, tries + 1), 200 + wait);
  } finally {
    sending.delete(id);
  }
}

function settle(action: Action, why: string | null): void {
  keep(pending.value.filter((one) => one.id !== action.id));
  if (why === null) return;
  const words = { acknowledge: t.value.acknowledge, silence: t.value.silence, end: t.value.endNow };
  refused.value = t.value.dropped(words[action.what], why);
}

export async function refreshSilences(): Promise<void> {
  if (link.value.phase !== 'up' || typeof session.value !== 'object') return;
  try {
    silences.value = (await get<{ silences: Silence[] }>('/api/v1/silences')).silences;
  } catch {
    // Asked again in a moment.
  }
}
