// Silencing: what, for how long, why; each has a good answer before anything is touched. It ends by itself.

import { useSignal } from '@preact/signals';
import { Choices, Sheet } from '../../../../common/ui/parts/Sheet';
import { silence } from '../actions';
import { about } from '../format';
import { t } from '../i18n';
import { siteName } from '../store';
import type { Alert, Silence } from '../wire';
import { place, ruleName, whereabouts } from '../words';
import { silencing } from './AlertTable';

const MINUTES = [15, 30, 60, 240, 480, 1440];

function scopes(alert: Alert): { label: string; scope: Silence['scope'] }[] {
  const none = { rule: null, zone_id: null, camera_id: null };
  const words = t.value.alerts;
  const list = [];
  if (alert.camera_id) list.push({ label: words.thisCamera(whereabouts(alert)), scope: { ...none, rule: alert.rule, camera_id: alert.camera_id } });
  if (alert.zone_id && alert.subject === 'risk') list.push({ label: words.wholeZone(place(alert)), scope: { ...none, zone_id: alert.zone_id } });
  list.push({ label: words.wholeRule(ruleName(alert.rule)), scope: { ...none, rule: alert.rule } });
  return list;
}

export function SilenceSheet() {
  const alert = silencing.value;
  return alert && <Ask key={alert.alert_id} alert={alert} />;
}

function Ask({ alert }: { alert: Alert }) {
  const words = t.value.alerts;
  const [minutes, what, reason] = [useSignal(30), useSignal(0), useSignal(words.reasons[0] ?? '')];
  const choices = scopes(alert);
  const close = () => (silencing.value = null);
  const done = () => {
    silence(alert.alert_id, alert.warehouse_id, choices[what.value]!.scope, reason.value.trim() || words.reasons[0]!, minutes.value);
    close();
  };
  return (
    <Sheet title={words.silenceTitle(`${place(alert)}, ${siteName(alert.warehouse_id)}`)} id="silence" close={close}>
      <Choices legend={words.silenceFor} name="minutes" value={minutes.value} set={(value) => (minutes.value = value)} options={MINUTES.map((value) => [value, about(value * 60)])} />
      <Choices legend={words.silenceWhat} name="what" value={what.value} set={(value) => (what.value = value)} options={choices.map(({ label }, index) => [index, label])} />
      <Choices legend={words.silenceWhy} name="why" value={reason.value} set={(value) => (reason.value = value)} options={words.reasons.map((value) => [value, value])} />
      <label>
        <span class="visually-hidden">{t.value.shell.reason}</span>
        <input maxLength={500} value={reason.value} onInput={(event) => (reason.value = event.currentTarget.value)} />
      </label>
      <div class="buttons">
        <button autofocus class="primary" data-action="silence-now" onClick={done}>{words.silenceDo(about(minutes.value * 60))}</button>
        <button onClick={close}>{t.value.shell.cancel}</button>
      </div>
    </Sheet>
  );
}
