// One site: how it is and why, what was with it, and the way to its zones and cameras.

import { useMemo } from 'preact/hooks';
import { open, order } from '../alerts';
import { ADD_EDGE, addEdge, SIMULATE, UUID } from '../commands';
import { about, amount, byName, count, knownZone } from '../format';
import { t } from '../i18n';
import { useGet } from '../load';
import type { Params } from '../match';
import { Ago } from '../parts/Ago';
import { AlertTable } from '../parts/AlertTable';
import { CompletenessBadge, StateBadge } from '../parts/Badge';
import { CameraTable } from '../parts/CameraTable';
import { EdgeTable } from '../parts/EdgeTable';
import { Empty, Failed, Loading } from '../parts/Empty';
import { SiteHistory } from '../parts/SiteHistory';
import { Standing } from '../parts/Standing';
import { Table, type Column } from '../parts/Table';
import { href } from '../route';
import { useSettings, zoneName } from '../settings';
import { alerts, siteName, sites, slow } from '../store';
import type { Alert, SiteDetail, SiteRow, ZoneRow } from '../wire';

const REFRESH_MS = 15_000;

/** A site with what is in it; again when its row changes, and every few seconds. */
export function useSite(id: string) {
  const live = sites.value.get(id);
  const loaded = useGet<SiteDetail>(`/api/v1/sites/${encodeURIComponent(id)}`, REFRESH_MS, live ? `${live.state} ${live.since}` : '');
  useSettings(id);
  // The row of the list is newer than the last answer, and older than none.
  return { ...loaded, row: live ?? loaded.data };
}

/** Open alerts that `which` takes, in the order in which they want somebody. */
export function useOpen(which: (alert: Alert) => boolean, key: string): Alert[] {
  const all = alerts.value;
  return useMemo(() => [...all.values()].filter((alert) => open(alert) && which(alert)).sort(order), [all, key]);
}

export function Unknown({ id, problem, again }: { id: string; problem: ReturnType<typeof useSite>['problem']; again: () => void }) {
  const heading = <h1 tabIndex={-1}>{siteName(id)}</h1>;
  if (!problem) return <>{heading}<Loading /></>;
  if (problem.status === 404 || problem.status === 400) return <>{heading}<Empty title={t.value.site.gone} hint={t.value.site.goneHint} command={UUID.test(id) ? addEdge(id) : ADD_EDGE} /></>;
  return <>{heading}<Failed problem={problem} again={again} /></>;
}

export function SitePage({ params }: { params: Params }) {
  const id = params.site!;
  const { row, data, problem, again } = useSite(id);
  const words = t.value.site;
  const own = useOpen((alert) => alert.warehouse_id === id, id);
  if (!row) return <Unknown id={id} problem={problem} again={again} />;
  const zone = knownZone(data?.time_zone);
  return (
    <>
      <nav aria-label={t.value.shell.fleet}><ol class="crumbs"><li><a href={href('/')}>{t.value.shell.fleet}</a></li></ol></nav>
      <div class="title-row">
        <h1 tabIndex={-1}>{siteName(id)}</h1>
        <span class="title-state"><StateBadge state={row.state} />{row.since && <span class="dim"> {t.value.fleet.since(about((slow.value - Date.parse(row.since)) / 1000))}</span>}</span>
        <p class="links">
          <a href={href('/trends', { site: id })}>{words.trends}</a> <a href={href('/completeness', { site: id })}>{words.completeness}</a> <a href={href(`/rules/${id}`)}>{words.rules}</a> <a href={href(`/sites/${id}/settings`)}>{words.settings}</a>
        </p>
      </div>
      {problem && <Failed problem={problem} again={again} />}
      {data?.alerts_off && <p class="notice" role="note" data-testid="alerts-off">{t.value.rules.emptyRules}</p>}
      <Reasons row={row} />
      <Tiles row={row} />
      <section class="block" aria-labelledby="open-alerts">
        <h2 id="open-alerts">{words.openAlerts} <span class="count">{count(own.length)}</span></h2>
        {own.length > 0 ? <AlertTable id="site-alerts" rows={own} sortParam="alerts" /> : <p class="dim">{heard(row) ? words.noOpenAlerts : words.blind}</p>}
      </section>
      {data && <SiteHistory site={id} edges={data.edge_list} zone={zone} />}
      {data && (
        <>
          <div class="columns">
            <section class="block" aria-labelledby="zones-title"><h2 id="zones-title">{words.zones}</h2><Zones site={data} zone={zone} /></section>
            <section class="block" aria-labelledby="cameras-title">
              <h2 id="cameras-title">{words.cameras}</h2>
              {data.cameras.length === 0 ? <Empty title={words.noCameras} hint={words.noCamerasHint} command={SIMULATE} /> : <CameraTable site={id} rows={data.cameras} zone={zone} />}
            </section>
          </div>
          <section class="block" aria-labelledby="edges-title">
            <h2 id="edges-title">{words.edges}</h2>
            {data.edge_list.length === 0 ? <Empty title={words.noEdges} hint={words.noEdgesHint} command={addEdge(id)} /> : <EdgeTable rows={data.edge_list} zone={zone} />}
            <Standing site={data} zone={zone} />
          </section>
        </>
      )}
    </>
  );
}

/** Whether silence from there would mean anything. */
export const heard = (row: Pick<SiteRow, 'state'>) => row.state === 'healthy' || row.state === 'degraded';

function Reasons({ row }: { row: SiteRow }) {
  if (row.reasons.length === 0) return row.state === 'healthy' ? <p class="dim reasons-none">{t.value.site.noReasons}</p> : null;
  return (
    <section class={`panel reasons ${row.state}`} aria-labelledby="why">
      <h2 id="why" class="visually-hidden">{t.value.site.why}</h2>
      <ul lang="en" data-testid="reasons">{row.reasons.map((reason) => <li key={reason}>{reason}</li>)}</ul>
    </section>
  );
}

function Tiles({ row }: { row: SiteRow }) {
  const words = t.value.site;
  return (
    <dl class="figures tiles">
      <div><dt>{words.alertsNow}</dt><dd class={row.alerts_unacknowledged > 0 ? 'urgent' : ''}>{count(row.alerts_open)} {row.alerts_unacknowledged > 0 && <small>{t.value.fleet.unacknowledged(row.alerts_unacknowledged)}</small>}</dd></div>
      <div><dt>{words.lastData}</dt><dd><Ago at={row.last_event_time} fine /></dd></div>
      <div><dt>{words.heartbeat}</dt><dd><Ago at={row.last_heartbeat_at} fine /></dd></div>
      <div><dt>{words.backlog}</dt><dd>{count(row.backlog)} {row.drain_seconds !== null && row.backlog > 0 && <small class="dim">{t.value.fleet.drain(about(row.drain_seconds))}</small>}</dd></div>
      <div><dt>{words.completeness}</dt><dd class="small-figure"><a class="plain-link" href={href('/completeness', { site: row.warehouse_id })}><CompletenessBadge own={row.completeness} /></a></dd></div>
      <div><dt>{words.rate}</dt><dd>{amount(row.events_per_second)}</dd></div>
    </dl>
  );
}

function Zones({ site, zone }: { site: SiteDetail; zone: string }) {
  const words = t.value.site;
  const all = alerts.value;
  const id = site.warehouse_id;
  const columns = useMemo<Column<ZoneRow>[]>(() => [
    { key: 'zone', head: words.zone, value: (row) => row.name ?? zoneName(id, row.zone_id), cell: (row) => <a href={href(`/sites/${id}/zones/${row.zone_id}`)}>{row.name ?? zoneName(id, row.zone_id)}</a> },
    { key: 'alerts', head: words.alertsNow, number: true, down: true, value: (row) => openIn(all, id, row.zone_id), cell: (row) => count(openIn(all, id, row.zone_id)) },
    { key: 'cameras', head: words.cameras, number: true, value: (row) => site.cameras.filter((one) => one.zone_id === row.zone_id).length, cell: (row) => count(site.cameras.filter((one) => one.zone_id === row.zone_id).length) },
    { key: 'data', head: words.lastData, value: (row) => (row.last_event_time === null ? null : Date.parse(row.last_event_time)), cell: (row) => <Ago at={row.last_event_time} zone={zone} /> },
  ], [site, all, zone, words]);
  if (site.zones.length === 0) return <Empty title={words.noZones} />;
  const rows = [...site.zones].sort((a, b) => byName(a.name ?? zoneName(id, a.zone_id), b.name ?? zoneName(id, b.zone_id)));
  return <Table id="zones" caption={words.zones} columns={columns} rows={rows} rowKey={(row) => row.zone_id} sortParam="zones" />;
}

const openIn = (all: ReadonlyMap<string, Alert>, site: string, zone: string) =>
  [...all.values()].filter((alert) => open(alert) && alert.warehouse_id === site && alert.zone_id === zone).length;

