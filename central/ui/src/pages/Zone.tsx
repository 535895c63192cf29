// One zone, and one camera: whether it is heard, and what happened there.

import { useMemo } from 'preact/hooks';
import { open } from '../alerts';
import { count } from '../format';
import { t } from '../i18n';
import { ask, useGet } from '../load';
import type { Params } from '../match';
import { Ago } from '../parts/Ago';
import { AlertTable } from '../parts/AlertTable';
import { CameraState, CameraTable, cameraTitle } from '../parts/CameraTable';
import { Empty, Failed, Loading } from '../parts/Empty';
import { href } from '../route';
import { cameraName, zoneName } from '../settings';
import { alerts, siteName } from '../store';
import type { Alert, SiteRow } from '../wire';
import { heard, Unknown, useSite } from './Site';

const WEEK_MS = 7 * 86_400_000;

function Crumbs({ site, zone }: { site: string; zone?: string | null }) {
  return (
    <nav aria-label={t.value.shell.fleet}>
      <ol class="crumbs">
        <li><a href={href('/')}>{t.value.shell.fleet}</a></li>
        <li><a href={href(`/sites/${site}`)}>{siteName(site)}</a></li>
        {zone && <li><a href={href(`/sites/${site}/zones/${zone}`)}>{zoneName(site, zone)}</a></li>}
      </ol>
    </nav>
  );
}

export function ZonePage({ params }: { params: Params }) {
  const [site, id] = [params.site!, params.zone!];
  const { row, data, problem, again } = useSite(site);
  const words = t.value.site;
  if (!row || !data) return <Unknown id={site} problem={problem} again={again} />;
  const own = data.zones.find((one) => one.zone_id === id);
  const cameras = data.cameras.filter((one) => one.zone_id === id);
  const zone = data.time_zone;
  return (
    <>
      <Crumbs site={site} />
      <div class="title-row">
        <h1 tabIndex={-1}>{own?.name ?? zoneName(site, id)}</h1>
        <p class="links"><a href={href('/trends', { site, zone: id })}>{words.showTrend}</a></p>
      </div>
      {problem && <Failed problem={problem} again={again} />}
      {!own && cameras.length === 0 ? <Empty title={words.unknownZone} /> : (
        <dl class="figures tiles">
          <div><dt>{words.lastData}</dt><dd><Ago at={own?.last_event_time ?? null} zone={zone} fine /></dd></div>
          <div><dt>{words.cameras}</dt><dd>{count(cameras.length)}</dd></div>
          <div><dt>{words.firstSeen}</dt><dd><Ago at={own?.first_seen_at ?? null} zone={zone} /></dd></div>
        </dl>
      )}
      <Recent site={site} row={row} zone={id} which={(alert) => alert.zone_id === id} follow={id} />
      <section class="block" aria-labelledby="cameras-title">
        <h2 id="cameras-title">{words.ofZone(own?.name ?? zoneName(site, id))}</h2>
        {cameras.length === 0 ? <p class="dim">{words.noCameras}</p> : <CameraTable site={site} rows={cameras} zone={zone} withZone={false} />}
      </section>
    </>
  );
}

export function CameraPage({ params }: { params: Params }) {
  const [site, id] = [params.site!, params.camera!];
  const { row, data, problem, again } = useSite(site);
  const words = t.value.site;
  if (!row || !data) return <Unknown id={site} problem={problem} again={again} />;
  const own = data.cameras.find((one) => one.camera_id === id);
  const edge = data.edge_list.find(({ edge_id }) => edge_id === own?.edge_id);
  return (
    <>
      <Crumbs site={site} zone={own?.zone_id ?? null} />
      <h1 tabIndex={-1}>{own ? cameraTitle(site, own) : cameraName(site, id)}</h1>
      {problem && <Failed problem={problem} again={again} />}
      {own ? (
        <dl class="figures tiles">
          <div><dt>{words.state}</dt><dd class="small-figure"><CameraState camera={own} /></dd></div>
          <div><dt>{words.lastSeen}</dt><dd><Ago at={own.last_seen_at} zone={data.time_zone} fine /></dd></div>
          {own.zone_id && <div><dt>{words.zone}</dt><dd class="small-figure"><a href={href(`/sites/${site}/zones/${own.zone_id}`)}>{zoneName(site, own.zone_id)}</a></dd></div>}
          <div><dt>{words.seenBy}</dt><dd class="small-figure">{edge?.name ?? own.edge_id.slice(0, 8)}</dd></div>
        </dl>
      ) : <Empty title={words.unknownCamera} />}
      <Recent site={site} row={row} zone={own?.zone_id ?? null} which={(alert) => alert.camera_id === id} follow={id} />
    </>
  );
}

/** The alerts of a place over the last days, those that go on as they are now. */
function Recent({ site, row, zone, which, follow }: { site: string; row: SiteRow; zone: string | null; which: (alert: Alert) => boolean; follow: string }) {
  const words = t.value.site;
  const from = useMemo(() => new Date(Math.floor((Date.now() - WEEK_MS) / 60_000) * 60_000).toISOString(), [follow]);
  const loaded = useGet<{ alerts: Alert[] }>(ask('/api/v1/alerts', { warehouse_id: site, zone_id: zone, from, limit: 500 }));
  const live = alerts.value;
  const all = useMemo(() => {
    const found = new Map((loaded.data?.alerts ?? []).map((alert) => [alert.alert_id, alert]));
    for (const [id, alert] of live) if (alert.warehouse_id === site) found.set(id, alert);
    return [...found.values()].filter(which).sort((a, b) => Number(open(b)) - Number(open(a)) || Date.parse(b.raised_at) - Date.parse(a.raised_at));
  }, [loaded.data, live, follow]);
  return (
    <section class="block" aria-labelledby="recent">
      <h2 id="recent">{words.recentAlerts} <span class="count">{count(all.length)}</span></h2>
      {loaded.problem && <Failed problem={loaded.problem} again={loaded.again} />}
      {all.length > 0 ? <AlertTable id="recent-alerts" rows={all} sortParam="alerts" />
        : loaded.data ? <p class="dim">{heard(row) ? words.noAlerts : words.blind}</p> : !loaded.problem && <Loading />}
    </section>
  );
}
