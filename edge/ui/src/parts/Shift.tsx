// The shift at a glance, to be printed and pinned to the board.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { get } from '../../../../common/ui/api';
import { cameraName, zoneName } from '../derive';
import { age, count, dated, score, share } from '../format';
import { language, t } from '../i18n';
import { link, site } from '../store';
import type { Shift as Summary } from '../wire';

const REFRESH_MS = 15_000;

export function Shift() {
  const which = useSignal<'current' | 'previous'>('current');
  const summary = useSignal<Summary | null>(null);
  const failed = useSignal('');
  useEffect(() => {
    let gone = false;
    const load = async () => {
      try {
        const answer = await get<Summary>(`/api/v1/shift?which=${which.value}`);
        if (!gone) [summary.value, failed.value] = [answer, ''];
      } catch (error) {
        if (!gone) failed.value = (error as Error).message;
      }
    };
    void load();
    const timer = setInterval(() => void load(), REFRESH_MS);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [which.value, link.value.phase]);
  const own = summary.value;
  return (
    <section class="shift" aria-labelledby="shift-title" data-testid="shift">
      <div class="shift-bar">
        <div class="tabs" role="group" aria-label={t.value.shift}>
          {(['current', 'previous'] as const).map((one) => (
            <button key={one} aria-pressed={which.value === one} onClick={() => (which.value = one)}>{t.value[one]}</button>
          ))}
        </div>
        <button onClick={() => print()}>{t.value.print}</button>
        <a class="button" href={`/api/v1/shift.csv?which=${which.value}`} download>{t.value.csv}</a>
      </div>
      {failed.value && <p role="alert">{t.value.failed(failed.value)}</p>}
      {!own && !failed.value && <p class="empty">{t.value.loading}</p>}
      {own && <Sheet own={own} />}
    </section>
  );
}

function Sheet({ own }: { own: Summary }) {
  const { shift, alerts } = own;
  const known = (part: number | null) => (part === null ? t.value.unknown : share(part));
  const median = alerts.median_seconds_to_acknowledge;
  return (
    <>
      <h2 id="shift-title">
        {site.value?.name && `${site.value.name} · `}{shift.name} <small>{dated(shift.from)} – {dated(shift.to)}{shift.running && ` · ${t.value.running}`}</small>
      </h2>
      <dl class="figures big">
        <div><dt>{t.value.events}</dt><dd>{count(own.events)}</dd></div>
        <div><dt>{t.value.coverage}</dt><dd>{known(own.coverage)}</dd></div>
        <div><dt>{t.value.alerts}: {t.value.raisedCount}</dt><dd>{count(alerts.raised)}</dd></div>
        <div><dt>{t.value.acknowledgedCount}</dt><dd>{count(alerts.acknowledged)}</dd></div>
        <div><dt>{t.value.clearedCount}</dt><dd>{count(alerts.cleared)}</dd></div>
        <div><dt>{t.value.silencedCount}</dt><dd>{count(alerts.silenced)}</dd></div>
        <div><dt>{t.value.median}</dt><dd>{median === null ? t.value.none : age(median * 1000)}</dd></div>
      </dl>
      <p class="dim">{t.value.coverageWhy} {language.value === 'en' && own.coverage_note}</p>
      {own.events === 0 && <p class="empty">{t.value.shiftEmpty}</p>}
      {own.zones.length > 0 && (
        <div class="scroll" role="region" aria-label={t.value.zones} tabIndex={0}>
        <table>
          <caption>{t.value.zones}</caption>
          <thead>
            <tr>
              {[t.value.zone, t.value.timeAtRisk, t.value.observed, t.value.coverage, t.value.alerts, t.value.peak, t.value.events].map((head) => <th key={head} scope="col">{head}</th>)}
            </tr>
          </thead>
          <tbody>
            {own.zones.map((zone) => (
              <tr key={zone.zone_id}>
                <th scope="row">{zone.zone ?? zoneName(site.value, zone.zone_id)}</th>
                <td>{age(zone.seconds_at_risk * 1000)}</td><td>{age(zone.seconds_observed * 1000)}</td><td>{known(zone.coverage)}</td>
                <td>{count(zone.alerts)}</td><td>{score(zone.peak)}</td><td>{count(zone.events)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        </div>
      )}
      {own.cameras.length > 0 && (
        <div class="scroll" role="region" aria-label={t.value.topCameras} tabIndex={0}>
        <table>
          <caption>{t.value.topCameras}</caption>
          <thead><tr>{[t.value.camera, t.value.timeAtRisk, t.value.peak, t.value.events].map((head) => <th key={head} scope="col">{head}</th>)}</tr></thead>
          <tbody>
            {own.cameras.map((camera) => (
              <tr key={camera.camera_id}>
                <th scope="row">{camera.camera ?? cameraName(site.value, camera.camera_id)}</th>
                <td>{camera.seconds_at_risk === undefined ? t.value.none : age(camera.seconds_at_risk * 1000)}</td><td>{score(camera.peak ?? null)}</td><td>{count(camera.events)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        </div>
      )}
    </>
  );
}
