// What people do about alerts, sent until the edge has answered.

import { signal } from '@preact/signals';
import { get } from '../../../common/ui/api';
import { randomId } from '../../../common/ui/ids';
import { outbox } from '../../../common/ui/outbox';
import { t } from './i18n';
import { learn, link, now, session, silences } from './store';
import type { Alert, Silence } from './wire';

/** What was refused, for people to read. */
export const refused = signal<string | null>(null);

const actions = outbox<'acknowledge' | 'silence' | 'end'>({
  key: 'smartpick.actions',
  who: () => (typeof session.value === 'object' ? session.value.name : ''),
  now: () => now.value,
  done(action, answer) {
    if (action.what === 'acknowledge') learn(answer as Alert);
    else void refreshSilences();
  },
  dropped(action, why) {
    const words = { acknowledge: t.value.acknowledge, silence: t.value.silence, end: t.value.endNow };
    refused.value = t.value.dropped(words[action.what], why?.message ?? t.value.tooOld);
  },
});

export const { pending } = actions;
export const flushActions = actions.flush;

export function acknowledge(alert: Alert, note = ''): void {
  if (pending.value.some((one) => one.what === 'acknowledge' && one.about === alert.alert_id)) return;
  const id = randomId();
  const body = { fact_id: id, ...(note.trim() ? { note: note.trim() } : {}) };
  actions.add({ id, what: 'acknowledge', about: alert.alert_id, path: `/api/v1/alerts/${alert.alert_id}/acknowledge`, body });
}

export function silence(about: string, scope: Silence['scope'], reason: string, minutes: number): void {
  const id = randomId();
  // A point in time, not a span: sent late, it must not last longer.
  const until = now.value + minutes * 60_000;
  const body = { silence_id: id, scope, reason, until: new Date(until).toISOString() };
  actions.add({ id, what: 'silence', about, path: '/api/v1/silences', body, until });
}

export function endSilence(silence_id: string): void {
  const id = randomId();
  actions.add({ id, what: 'end', about: silence_id, path: `/api/v1/silences/${silence_id}/end`, body: { fact_id: id } });
}

export async function refreshSilences(): Promise<void> {
  if (link.value.phase !== 'up' || typeof session.value !== 'object') return;
  try {
    silences.value = (await get<{ silences: Silence[] }>('/api/v1/silences')).silences;
  } catch {
    // Asked again in a moment.
  }
}
