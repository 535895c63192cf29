// Everything about one alert: what happened, what was said of it, and for those who may, who it was.

import { useSignal } from '@preact/signals';
import { RiskCurve } from '../../../../common/ui/parts/RiskCurve';
import { acknowledge, isPending, said } from '../actions';
import { open, story, type Moment } from '../alerts';
import { count, lasting, score } from '../format';
import { t } from '../i18n';
import { ask, useGet } from '../load';
import type { Params } from '../match';
import { Severity, Said, silencing } from '../parts/AlertTable';
import { Empty, Failed, Loading } from '../parts/Empty';
import { WhoSheet } from '../parts/WhoSheet';
import { href, param } from '../route';
import { cameraName, siteTimes, useSettings, zoneName } from '../settings';
import { alerts, may, now, siteName } from '../store';
import type { Alert, AlertDetail as Detail } from '../wire';
import { place, ruleName, whereabouts, why } from '../words';

export function AlertPage({ params }: { params: Params }) {
  const id = params.alert!;
  const live = alerts.value.get(id);
  const warehouse_id = param('warehouse_id', '');
  const revision = live ? `${live.revision} ${live.state} ${live.silenced?.silence_id ?? ''}` : '';
  const loaded = useGet<Detail>(ask(`/api/v1/alerts/${encodeURIComponent(id)}`, { warehouse_id }), undefined, `${revision} ${said.value}`);
  const words = t.value.alerts;
  const known = loaded.data;
  const alert = live ?? known?.alert;
  useSettings(alert?.warehouse_id ?? null);
  if (!alert) {
    if (!loaded.problem) return <><h1 tabIndex={-1}>{words.one}</h1><Loading /></>;
    return (
      <>
        <h1 tabIndex={-1}>{words.one}</h1>
        {loaded.problem.status === 404 || loaded.problem.status === 400
          ? <Empty title={words.gone} hint={words.goneHint}><p><a href={href('/alerts')}>{words.toAlerts}</a></p></Empty>
          : <Failed problem={loaded.problem} again={loaded.again} />}
      </>
    );
  }
  return <Known alert={alert} detail={known} problem={loaded.problem} again={loaded.again} />;
}

function Known({ alert, detail, problem, again }: { alert: Alert; detail: Detail | null; problem: ReturnType<typeof useGet>['problem']; again: () => void }) {
  const words = t.value.alerts;
  const site = alert.warehouse_id;
  const times = siteTimes(site);
  const reason = why(alert);
  const end = alert.ended_at === null ? now.value : Date.parse(alert.ended_at);
  const long = lasting(end - Date.parse(alert.started_at));
  return (
    <>
      <nav aria-label={words.title}><ol class="crumbs"><li><a href={href('/alerts')}>{words.title}</a></li><li><a href={href(`/sites/${site}`)}>{siteName(site)}</a></li></ol></nav>
      <h1 tabIndex={-1}>{place(alert)} <span class="count">{whereabouts(alert)}</span></h1>
      {problem && <Failed problem={problem} again={again} />}
      <div class="columns">
        <section class="panel" aria-labelledby="alert-facts">
          <h2 id="alert-facts" class="visually-hidden">{words.one}</h2>
          <p><Severity alert={alert} /> · {t.value.shell.alertState[alert.state]}</p>
          <p class="said-block"><Said alert={alert} /></p>
          <dl class="figures">
            <div><dt>{words.began}</dt><dd>{times.dated(alert.started_at)}</dd></div>
            <div><dt>{open(alert) ? words.duration : words.lasted}</dt><dd>{open(alert) ? words.goingFor(long) : long}</dd></div>
            {alert.peak !== null && <div><dt>{words.peak}</dt><dd>{score(alert.peak)}</dd></div>}
            {alert.subject === 'risk' && <div><dt>{words.events}</dt><dd>{count(alert.events)}</dd></div>}
          </dl>
          <dl class="pairs">
            <dt>{words.site}</dt><dd><a href={href(`/sites/${site}`)}>{siteName(site)}</a></dd>
            {alert.zone_id && <><dt>{words.zone}</dt><dd><a href={href(`/sites/${site}/zones/${alert.zone_id}`)}>{zoneName(site, alert.zone_id)}</a></dd></>}
            {alert.camera_id && <><dt>{words.camera}</dt><dd><a href={href(`/sites/${site}/cameras/${encodeURIComponent(alert.camera_id)}`)}>{cameraName(site, alert.camera_id)}</a></dd></>}
            <dt>{words.rule}</dt><dd>{ruleName(alert.rule)} {reason && <span class="dim" lang={reason.lang}>{reason.words}</span>}</dd>
            <dt>{words.stored}</dt><dd>{times.dated(alert.stored_at)}</dd>
          </dl>
          <Act alert={alert} />
        </section>
        <section class="panel" aria-labelledby="alert-story" data-testid="story">
          <h2 id="alert-story">{words.whatHappened}{times.note && <span class="count"> {times.note}</span>}</h2>
          {detail ? <Story moments={story(alert, detail.facts)} times={times} going={open(alert)} /> : <Loading />}
          {detail && alert.subject === 'risk' && may('act') && (
            <>
              <RiskCurve curve={detail.curve} threshold={detail.threshold} peak={alert.peak} words={words} clock={times.bare} />
              {open(alert) && detail.curve.length > 0 && <p class="dim">{words.curveSoFar}</p>}
            </>
          )}
        </section>
      </div>
    </>
  );
}

function Act({ alert }: { alert: Alert }) {
  const [note, asking] = [useSignal(''), useSignal(false)];
  const words = t.value.alerts;
  const who = may('people') && alert.subject === 'risk';
  const acts = may('act') && open(alert);
  if (!who && !acts) return null;
  return (
    <div class="act">
      {acts && alert.state === 'raised' && (
        <label>
          <span>{words.note}</span>
          <input maxLength={500} value={note.value} data-testid="note" onInput={(event) => (note.value = event.currentTarget.value)} />
        </label>
      )}
      <div class="act-buttons">
        {acts && alert.state === 'raised' && (
          <button class="primary" data-action="acknowledge" disabled={isPending('acknowledge', alert.alert_id)} onClick={() => acknowledge(alert, note.value)}>
            {isPending('acknowledge', alert.alert_id) ? words.sending : words.acknowledge}
          </button>
        )}
        {acts && !alert.silenced && <button data-action="silence" onClick={() => (silencing.value = alert)}>{words.silence}</button>}
        {who && <button data-action="who" onClick={() => (asking.value = true)}>{words.whoWasIt}</button>}
      </div>
      {asking.value && <WhoSheet alert={alert} close={() => (asking.value = false)} />}
    </div>
  );
}

function Story({ moments, times, going }: { moments: Moment[]; times: ReturnType<typeof siteTimes>; going: boolean }) {
  const words = t.value.alerts;
  return (
    <ol class="story">
      {moments.map(({ at, kind, by, note, origin }, index) => (
        <li key={`${at} ${kind} ${index}`} class={kind}>
          <time dateTime={at} title={times.dated(at)}>{times.bare(at)}</time>
          <p>
            <strong>{words.moment[kind] ?? kind}</strong>
            {by && <> {t.value.shell.by} {by} ({origin === 'headquarters' ? words.fromHeadquarters : words.fromFloor})</>}
            {note && (kind === 'peak' ? ` ${note}` : <q>{note}</q>)}
          </p>
        </li>
      ))}
      {going && <li class="going"><span /> <p class="dim">{words.still}</p></li>}
    </ol>
  );
}
