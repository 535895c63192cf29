// Silencing with one thumb: what, for how long, why; each has a good answer before anything is touched.

import { useSignal } from '@preact/signals';
import { Choices, Sheet as Over } from '../../../../common/ui/parts/Sheet';
import { silence } from '../actions';
import { about } from '../format';
import { t } from '../i18n';
import { silencing } from '../selection';
import type { Alert, Silence } from '../wire';
import { place, ruleName, whereabouts } from '../words';

const MINUTES = [15, 30, 60, 240, 480];

function scopes(alert: Alert): { label: string; scope: Silence['scope'] }[] {
  const none = { rule: null, zone_id: null, camera_id: null };
  const list = [];
  if (alert.camera_id) list.push({ label: t.value.thisCamera(whereabouts(alert)), scope: { ...none, rule: alert.rule, camera_id: alert.camera_id } });
  if (alert.zone_id && alert.subject === 'risk') list.push({ label: t.value.wholeZone(place(alert)), scope: { ...none, zone_id: alert.zone_id } });
  list.push({ label: t.value.wholeRule(ruleName(alert.rule)), scope: { ...none, rule: alert.rule } });
  return list;
}

export function SilenceSheet() {
  const alert = silencing.value;
  return alert && <Sheet key={alert.alert_id} alert={alert} />;
}

function Sheet({ alert }: { alert: Alert }) {
  const minutes = useSignal(30);
  const what = useSignal(0);
  const reason = useSignal(t.value.reasons[0] ?? '');
  const choices = scopes(alert);
  const close = () => (silencing.value = null);
  const done = () => {
    silence(alert.alert_id, choices[what.value]!.scope, reason.value.trim() || t.value.reasons[0]!, minutes.value);
    close();
  };
  return (
    <Over title={t.value.silenceTitle(place(alert))} id="silence" close={close}>
      <Choices legend={t.value.silenceFor} name="minutes" value={minutes.value} set={(value) => (minutes.value = value)}
        options={MINUTES.map((value) => [value, about(value * 60)])} />
      <Choices legend={t.value.silenceWhat} name="what" value={what.value} set={(value) => (what.value = value)}
        options={choices.map(({ label }, index) => [index, label])} />
      <Choices legend={t.value.silenceWhy} name="why" value={reason.value} set={(value) => (reason.value = value)}
        options={t.value.reasons.map((value) => [value, value])} />
      <label>
        <span class="visually-hidden">{t.value.reason}</span>
        <input maxLength={500} value={reason.value} onInput={(event) => (reason.value = event.currentTarget.value)} />
      </label>
      <div class="buttons">
        <button autofocus class="primary" data-action="silence-now" onClick={done}>{t.value.silenceDo(about(minutes.value * 60))}</button>
        <button onClick={close}>{t.value.cancel}</button>
      </div>
    </Over>
  );
}
