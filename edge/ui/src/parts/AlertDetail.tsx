// Everything about one alert: why it fired, and what was done.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { get, Problem } from '../../../../common/ui/api';
import { open } from '../derive';
import { age, clockSeconds, count, dated, score } from '../format';
import { t } from '../i18n';
import { href, wall } from '../route';
import { alerts, link, mayAct, now } from '../store';
import type { AlertDetail as Detail } from '../wire';
import { place, ruleName, whereabouts, why } from '../words';
import { Buttons, follow, Said } from './AlertCard';
import { SeverityIcon } from '../../../../common/ui/parts/Icon';
import { RiskCurve } from '../../../../common/ui/parts/RiskCurve';
import { Posture } from './Posture';

/** While it goes on its curve grows; asked again this often at most. */
const REFRESH_MS = 2_000;

export function AlertDetail({ id }: { id: string }) {
  const detail = useSignal<Detail | null>(null);
  const problem = useSignal<Problem | null>(null);
  const note = useSignal('');
  const asked = useRef(0);
  const heading = useRef<HTMLHeadingElement>(null);
  const live = alerts.value.get(id);
  const revision = live ? `${live.revision} ${live.state} ${live.events} ${live.acknowledged?.at}` : '';
  useEffect(() => {
    detail.value = null;
    note.value = '';
    heading.current?.focus({ preventScroll: true });
  }, [id]);
  useEffect(() => {
    let gone = false;
    const load = async () => {
      asked.current = Date.now();
      try {
        const answer = await get<Detail>(`/api/v1/alerts/${encodeURIComponent(id)}`);
        if (!gone) [detail.value, problem.value] = [answer, null];
      } catch (error) {
        if (!gone) problem.value = error as Problem;
      }
    };
    const timer = setTimeout(() => void load(), Math.max(0, asked.current + (detail.value ? REFRESH_MS : 0) - Date.now()));
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [id, revision, link.value.phase]);

  const known = detail.value?.alert.alert_id === id ? detail.value : null;
  const alert = live ?? known?.alert;
  const path = '/';
  return (
    <section class="detail" aria-labelledby="detail-title" data-testid="detail">
      <p><a class="back" href={href(path)} onClick={(event) => follow(event, path)}>← {t.value.back}</a></p>
      {!alert && <p class="empty" role="status">{problem.value ? (problem.value.status === 404 ? t.value.gone : t.value.failed(problem.value.message)) : t.value.loading}</p>}
      {alert && (
        <>
          <h2 id="detail-title" ref={heading} tabIndex={-1}>
            {place(alert)} <span class="alert-camera">{whereabouts(alert)}</span>
          </h2>
          <p class={`alert-severity ${alert.severity}`}>
            <SeverityIcon severity={alert.severity} />
            <span>{t.value.severity[alert.severity]} · {t.value.alertState[alert.state]}</span>
          </p>
          <Said alert={alert} />
          <dl class="figures">
            <div><dt>{t.value.started}</dt><dd>{dated(alert.started_at)}</dd></div>
            <div><dt>{open(alert) ? t.value.since : t.value.lasted}</dt><dd>{age((alert.ended_at ? Date.parse(alert.ended_at) : now.value) - Date.parse(alert.started_at))}</dd></div>
            {alert.peak !== null && <div><dt>{t.value.peak}</dt><dd>{score(alert.peak)}</dd></div>}
            {alert.latest !== null && open(alert) && <div><dt>{t.value.riskNow}</dt><dd>{score(alert.latest)}</dd></div>}
            {alert.subject === 'risk' && <div><dt>{t.value.events}</dt><dd>{count(alert.events)}</dd></div>}
          </dl>
          {mayAct.value && !wall.value && open(alert) && (
            <div class="act">
              {alert.state === 'raised' && (
                <label>
                  <span>{t.value.note}</span>
                  <input maxLength={500} value={note.value} onInput={(event) => (note.value = event.currentTarget.value)} />
                </label>
              )}
              <Buttons alert={alert} note={note.value} />
            </div>
          )}
          <h3>{t.value.whyFired}</h3>
          <p>{why(alert)} <span class="dim">({ruleName(alert.rule)})</span></p>
          {known && alert.subject === 'risk' && (
            <>
              <RiskCurve curve={known.curve} threshold={known.threshold} peak={alert.peak} words={t.value} clock={clockSeconds} />
              <Posture posture={known.posture} />
            </>
          )}
          <h3>{t.value.history}</h3>
          {known && <Facts facts={known.facts} />}
        </>
      )}
    </section>
  );
}

function Facts({ facts }: { facts: Detail['facts'] }) {
  if (facts.length === 0) return <p class="dim">{t.value.noHistory}</p>;
  return (
    <ul class="facts">
      {facts.map((fact) => (
        <li key={fact.fact_id}>
          <time dateTime={fact.at}>{dated(fact.at)}</time> {t.value.fact[fact.kind] ?? fact.kind} {t.value.by} <strong>{fact.by}</strong>
          {fact.origin === 'headquarters' && ` (${t.value.headquarters})`}
          {fact.note && <q>{fact.note}</q>}
        </li>
      ))}
    </ul>
  );
}
