// One alert in the list.

import { acknowledge, pending } from '../actions';
import { open } from '../derive';
import { age, clock, score } from '../format';
import { t } from '../i18n';
import { go, href, wall } from '../route';
import { link, mayAct, now } from '../store';
import { place, whereabouts, why } from '../words';
import type { Alert } from '../wire';
import { selected, silencing } from '../selection';
import { SeverityIcon } from '../../../../common/ui/parts/Icon';

export function AlertCard({ alert }: { alert: Alert }) {
  const going = open(alert);
  const classes = ['card', alert.severity, alert.silenced ? 'silenced' : alert.state, selected.value === alert.alert_id ? 'selected' : ''];
  const path = `/alerts/${alert.alert_id}`;
  return (
    <article class={classes.join(' ')} data-alert={alert.alert_id} data-alert-state={alert.state} aria-labelledby={`a-${alert.alert_id}`}>
      <p class="alert-severity">
        <SeverityIcon severity={alert.severity} />
        <span>{t.value.severity[alert.severity]}</span>
      </p>
      <div class="alert-words">
        <h3 id={`a-${alert.alert_id}`}>
          {wall.value ? place(alert) : (
            <a href={href(path)} onClick={(event) => follow(event, path)}>{place(alert)}</a>
          )}
          {!(wall.value && alert.subject === 'system') && <span class="alert-camera"> {whereabouts(alert)}</span>}
        </h3>
        <p class="alert-why">
          {why(alert)}
          {alert.episodes > 1 && <strong> · {t.value.people(alert.episodes)}</strong>}
        </p>
        <Said alert={alert} />
      </div>
      <dl class="alert-figures">
        <div>
          <dt>{going ? t.value.since : t.value.lasted}</dt>
          <dd class="alert-age"><Age alert={alert} /></dd>
        </div>
        {alert.peak !== null && (
          <div>
            <dt>{t.value.peak}</dt>
            <dd>{score(alert.peak)}</dd>
          </div>
        )}
      </dl>
      {mayAct.value && !wall.value && going && <Buttons alert={alert} />}
    </article>
  );
}

function Age({ alert }: { alert: Alert }) {
  const end = alert.ended_at ? Date.parse(alert.ended_at) : now.value;
  return <time dateTime={alert.started_at}>{age(end - Date.parse(alert.started_at))}</time>;
}

/** What people have said of it, and what has become of it. */
export function Said({ alert }: { alert: Alert }) {
  const { acknowledged, silenced } = alert;
  return (
    <>
      {acknowledged && (
        <p class="said">
          ✓ {t.value.acknowledgedBy(acknowledged.by, clock(acknowledged.at, now.value))}
          {acknowledged.origin === 'headquarters' && ` (${t.value.headquarters})`}
          {acknowledged.note && <q>{acknowledged.note}</q>}
        </p>
      )}
      {silenced && <p class="said">∅ {t.value.silencedUntil(clock(silenced.until, now.value), silenced.reason)}</p>}
      {alert.state === 'cleared' && <p class="said">{t.value.alertState.cleared}{alert.ended_at && `: ${clock(alert.ended_at, now.value)}`}</p>}
      {alert.late && <p class="said">{t.value.late}</p>}
    </>
  );
}

export function Buttons({ alert, note = '' }: { alert: Alert; note?: string }) {
  const waiting = pending.value.some((one) => one.what === 'acknowledge' && one.about === alert.alert_id);
  const silencingNow = pending.value.some((one) => one.what === 'silence' && one.about === alert.alert_id);
  return (
    <div class="buttons">
      {alert.state === 'raised' && (
        <button class="primary" disabled={waiting} data-action="acknowledge" onClick={() => acknowledge(alert, note)}>
          {waiting ? t.value.sending : t.value.acknowledge}
        </button>
      )}
      {!alert.silenced && (
        <button disabled={silencingNow} data-action="silence" onClick={() => (silencing.value = alert)}>
          {silencingNow ? t.value.sending : t.value.silence}
        </button>
      )}
      {(waiting || silencingNow) && link.value.phase !== 'up' && <p class="waits" role="status">{t.value.waits}</p>}
    </div>
  );
}

export function follow(event: MouseEvent, path: string): void {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  go(path);
}
