// What people do about alerts from here, sent until headquarters has answered; from there it reaches the floor.

import { randomId } from '../../../common/ui/ids';
import { outbox } from '../../../common/ui/outbox';
import { t } from './i18n';
import { ask } from './load';
import { learn, me, now } from './store';
import { toast } from './toast';
import { signal } from '@preact/signals';
import type { Alert, AlertDetail, Silence } from './wire';

/** Changes with everything that was said: views of what was said ask again. */
export const said = signal(0);

const actions = outbox<'acknowledge' | 'silence' | 'end'>({
  key: 'smartpick.hq.actions',
  who: () => me.value?.name ?? '',
  now: () => now.value,
  done(action, answer) {
    if (action.what === 'acknowledge') learn((answer as AlertDetail).alert);
    const words = { acknowledge: t.value.alerts.acknowledged, silence: t.value.alerts.silenceBegun, end: t.value.alerts.silenceEnded };
    toast(words[action.what]);
    said.value += 1;
  },
  dropped(action, why) {
    const words = { acknowledge: t.value.alerts.acknowledge, silence: t.value.alerts.silence, end: t.value.alerts.endNow };
    toast(t.value.alerts.dropped(words[action.what], why?.message ?? t.value.alerts.tooOld), true);
  },
});

export const { pending } = actions;
export const flushActions = actions.flush;

export const isPending = (what: 'acknowledge' | 'silence' | 'end', about: string) => pending.value.some((one) => one.what === what && one.about === about);

export function acknowledge(alert: Alert, note = ''): void {
  if (isPending('acknowledge', alert.alert_id)) return;
  const id = randomId();
  const path = ask(`/api/v1/alerts/${alert.alert_id}/acknowledge`, { warehouse_id: alert.warehouse_id });
  actions.add({ id, what: 'acknowledge', about: alert.alert_id, path, body: { fact_id: id, ...(note.trim() ? { note: note.trim() } : {}) } });
}

export function silence(about: string, warehouse_id: string, scope: Silence['scope'], reason: string, minutes: number): void {
  const id = randomId();
  // A point in time, not a span: sent late, it must not last longer.
  const until = now.value + minutes * 60_000;
  const body = { silence_id: id, warehouse_id, scope, reason, until: new Date(until).toISOString() };
  actions.add({ id, what: 'silence', about, path: '/api/v1/silences', body, until });
}

export function endSilence({ silence_id, warehouse_id }: Silence): void {
  const id = randomId();
  actions.add({ id, what: 'end', about: silence_id, path: ask(`/api/v1/silences/${silence_id}/end`, { warehouse_id }), body: { fact_id: id } });
}
