// What is silenced now, by whom, and when it ends by itself.

import { endSilence, pending } from '../actions';
import { activeSilences, cameraName, zoneName } from '../derive';
import { age, clock } from '../format';
import { t } from '../i18n';
import { wall } from '../route';
import { mayAct, now, silences, site } from '../store';
import type { Silence } from '../wire';
import { ruleName } from '../words';

export function Silences({ always = false }: { always?: boolean }) {
  const active = activeSilences(silences.value, now.value);
  if (active.length === 0 && !always) return null;
  return (
    <section class="silences" aria-labelledby="silences-title" data-testid="silences">
      <h2 id="silences-title">{t.value.silences} <span class="count">{active.length}</span></h2>
      {active.length === 0 && <p class="empty">{t.value.noSilences}</p>}
      <ul>{active.map((one) => <Row key={one.silence_id} silence={one} />)}</ul>
    </section>
  );
}

function scopeWords({ rule, zone_id, camera_id }: Silence['scope']): string {
  const parts = [];
  if (zone_id) parts.push(zoneName(site.value, zone_id));
  if (camera_id) parts.push(cameraName(site.value, camera_id));
  if (rule) parts.push(ruleName(rule));
  return parts.join(' · ') || t.value.all;
}

function Row({ silence }: { silence: Silence }) {
  const ending = pending.value.some((one) => one.what === 'end' && one.about === silence.silence_id);
  return (
    <li>
      <div>
        <strong>{scopeWords(silence.scope)}</strong>
        <p>
          {silence.reason} · {t.value.by} {silence.by}{silence.origin === 'headquarters' && ` (${t.value.headquarters})`} ·{' '}
          {t.value.until} {clock(silence.until, now.value)}, {t.value.ends(age(Date.parse(silence.until) - now.value))} · {t.value.silencedAlerts(silence.alerts)}
        </p>
      </div>
      {mayAct.value && !wall.value && (
        <button disabled={ending} onClick={() => endSilence(silence.silence_id)}>{ending ? t.value.sending : t.value.endNow}</button>
      )}
    </li>
  );
}
