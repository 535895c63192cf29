// Alerts as rows: where, since when, who sees to it, and what to do.

import { computed, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { SeverityIcon } from '../../../../common/ui/parts/Icon';
import { acknowledge, isPending } from '../actions';
import { open } from '../alerts';
import { lasting, score } from '../format';
import { t } from '../i18n';
import { rowKeys, step } from '../keys';
import { go, href } from '../route';
import { siteTimes } from '../settings';
import { link, may, now, siteName } from '../store';
import type { Alert } from '../wire';
import { place, ruleName, whereabouts, why } from '../words';
import { Table, type Column } from './Table';

/** The alert that a sheet lies over the page for. */
export const silencing = signal<Alert | null>(null);

export const alertPath = (alert: Alert) => href(`/alerts/${alert.alert_id}`, { warehouse: alert.warehouse_id });

export function Severity({ alert }: { alert: Alert }) {
  const tone = open(alert) && !alert.silenced ? alert.severity : 'dim';
  return <span class={`alert-mark ${tone}`}><SeverityIcon severity={alert.severity} /> {t.value.shell.severity[alert.severity]}</span>;
}

/** What people have said of it, and what has become of it. */
export function Said({ alert }: { alert: Alert }) {
  const { acknowledged, silenced, ended_at } = alert;
  const { clock } = siteTimes(alert.warehouse_id);
  const words = t.value.alerts;
  return (
    <>
      {ended_at === null && !acknowledged && !silenced && <span class={`badge ${alert.subject === 'risk' ? 'urgent' : 'degraded'}`}>{words.states.raised}</span>}
      {acknowledged && (
        <span class="said">✓ {words.seenBy(acknowledged.by, clock(acknowledged.at, now.peek()))} ({acknowledged.origin === 'headquarters' ? words.fromHeadquarters : words.fromFloor})
          {acknowledged.note && <q>{acknowledged.note}</q>}
        </span>
      )}
      {silenced && <span class="said">∅ {words.silencedUntil(clock(silenced.until, now.peek()), silenced.reason)}</span>}
      {ended_at !== null && <span class="said">{words.overSince(clock(ended_at, now.peek()))}</span>}
    </>
  );
}

/** Its age while it goes on, which is seen to count; else how long it lasted. */
export function Lasting({ alert }: { alert: Alert }) {
  const end = alert.ended_at === null ? now.value : Date.parse(alert.ended_at);
  const long = lasting(end - Date.parse(alert.started_at));
  return <time dateTime={alert.started_at} title={siteTimes(alert.warehouse_id).clock(alert.started_at, now.peek())}>{open(alert) ? t.value.alerts.goingFor(long) : long}</time>;
}

export function Buttons({ alert, note = '' }: { alert: Alert; note?: string }) {
  if (!may('act') || !open(alert)) return null;
  const [acknowledging, silencingNow] = [isPending('acknowledge', alert.alert_id), isPending('silence', alert.alert_id)];
  const words = t.value.alerts;
  return (
    <span class="row-buttons">
      {alert.state === 'raised' && (
        <button class="small primary" data-action="acknowledge" disabled={acknowledging} onClick={() => acknowledge(alert, note)}>{acknowledging ? words.sending : words.acknowledge}</button>
      )}
      {!alert.silenced && (
        <button class="small" data-action="silence" disabled={silencingNow} onClick={() => (silencing.value = alert)}>{silencingNow ? words.sending : words.silence}</button>
      )}
      {(acknowledging || silencingNow) && link.value.phase !== 'up' && <small role="status">{words.waits}</small>}
    </span>
  );
}

function Why({ alert }: { alert: Alert }) {
  const own = why(alert);
  return own && <small class="dim" lang={own.lang}>{own.words}</small>;
}

const where: Column<Alert>['cell'] = (alert) => (
  <>
    <a href={alertPath(alert)}>{place(alert)}</a>
    {whereabouts(alert) && <span class="dim"> {whereabouts(alert)}</span>}
    {alert.subject === 'risk' && alert.rule !== place(alert) && <small class="dim">{ruleName(alert.rule)}{alert.episodes > 1 && ` · ${t.value.alerts.episodes(alert.episodes)}`}</small>}
    {alert.subject === 'system' && <Why alert={alert} />}
  </>
);

function columnsFor(site: boolean): readonly Column<Alert>[] {
  const words = t.value.alerts;
  const columns: Column<Alert>[] = [
    { key: 'where', head: words.where, value: place, cell: where },
    { key: 'severity', head: words.severity, down: true, value: ({ severity }) => ({ critical: 2, warning: 1, notice: 0 })[severity], cell: (alert) => <Severity alert={alert} /> },
    { key: 'since', head: words.duration, number: true, value: ({ started_at }) => Date.parse(started_at), cell: (alert) => <Lasting alert={alert} /> },
    { key: 'peak', head: words.peak, number: true, down: true, value: ({ peak }) => peak, cell: ({ peak }) => score(peak) },
    { key: 'state', head: words.state, cell: (alert) => <Said alert={alert} /> },
  ];
  if (site) columns.splice(1, 0, { key: 'site', head: words.site, value: ({ warehouse_id }) => siteName(warehouse_id), cell: ({ warehouse_id }) => <a href={href(`/sites/${warehouse_id}`)}>{siteName(warehouse_id)}</a> });
  if (may('act')) columns.push({ key: 'act', head: words.act, cell: (alert) => <Buttons alert={alert} /> });
  return columns;
}

const withSite = computed(() => columnsFor(true));
const withoutSite = computed(() => columnsFor(false));

export function AlertTable({ id, rows, site = false, sortParam }: { id: string; rows: readonly Alert[]; site?: boolean; sortParam?: string }) {
  useEffect(() => {
    rowKeys.value = (key, row) => {
      const alert = rows.find((one) => one.alert_id === row);
      return alert !== undefined && act(key, alert);
    };
    return () => (rowKeys.value = null);
  }, [rows]);
  return (
    <Table id={id} caption={t.value.alerts.title} columns={site ? withSite.value : withoutSite.value} rows={rows} rowKey={({ alert_id }) => alert_id}
      tone={(alert) => `alert ${open(alert) ? (alert.silenced ? 'quieted' : alert.state === 'acknowledged' ? 'seen' : alert.severity) : 'over'}`} {...(sortParam ? { sortParam } : {})} />
  );
}

function act(key: string, alert: Alert): boolean {
  if (key === 'Enter' && !document.activeElement?.matches('a, button')) return go(alertPath(alert)), true;
  if (!may('act') || !open(alert)) return false;
  if (key === 'a' && alert.state === 'raised') {
    // The row is about to go down the list; whoever works through it stays where they are.
    step(1);
    acknowledge(alert);
    return true;
  }
  if (key === 's' && !alert.silenced) return (silencing.value = alert), true;
  return false;
}
