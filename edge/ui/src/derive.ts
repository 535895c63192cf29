// What is shown follows from the present by these pure functions: the one big state, the zones, the order of the list.

import { shortId } from '../../../common/ui/ids';
import type { Link } from '../../../common/ui/socket';
import type { Present } from './present';
import type { Alert, Severity, Silence, Site } from './wire';

/** The one big state. They are never merged: each has its own words, shape and colour. */
export type Kind = 'connecting' | 'lost' | 'alert' | 'nodata' | 'check' | 'quiet';

export interface Headline {
  kind: Kind;
  /** ms of the server's clock, or for a lost link of ours. */
  since: number | null;
  /** Zones it is about. */
  zones: string[];
  /** Rules of system alerts it is about. */
  rules: string[];
  /** Alerts going on, without the silenced ones. */
  count: number;
  /** Somebody sees to every one of them. */
  seen: boolean;
  worst: Severity | null;
  /** Going on, but silenced. */
  silenced: number;
}

export interface ZoneNow {
  zone_id: string;
  name: string;
  /** Highest of the cameras' latest scores; `null` where nothing is heard. */
  risk: number | null;
  alerts: number;
  worst: Severity | null;
  /** ms of the server's clock; `null` if nothing was ever heard. */
  lastSeen: number | null;
  nodata: boolean;
  cameras: CameraNow[];
}

export interface CameraNow {
  camera_id: string;
  name: string;
  risk: number | null;
  lastSeen: number | null;
  nodata: boolean;
  clockSuspect: boolean;
}

/** A score older than this is not "now" any more. */
const LIVE_MS = 10_000;
/** Until the site has said otherwise. */
const NO_DATA_AFTER_SECONDS = 60;

const RANK: Record<Severity, number> = { critical: 2, warning: 1, notice: 0 };

export const open = (alert: Alert) => alert.state !== 'cleared';
/** Wants somebody: goes on, nobody sees to it, nobody has silenced it. */
export const wanting = (alert: Alert) => alert.state === 'raised' && !alert.silenced;

/** Whether it shall be heard: a person at risk, or SmartPick itself in real trouble. */
export const audible = (alert: Alert) =>
  wanting(alert) && !alert.late && (alert.subject === 'risk' ? alert.severity !== 'notice' : alert.severity === 'critical');

export function worst(alerts: readonly Alert[]): Severity | null {
  return alerts.reduce<Severity | null>(
    (most, { severity }) => (most === null || RANK[severity] > RANK[most] ? severity : most),
    null,
  );
}

export { shortId };
export type { Link };

export function zoneName(site: Site | null, zone_id: string): string {
  return site?.zones.find((zone) => zone.zone_id === zone_id)?.name ?? shortId(zone_id);
}

export function cameraName(site: Site | null, camera_id: string): string {
  return site?.cameras.find((camera) => camera.camera_id === camera_id)?.name ?? camera_id;
}

/** Zones by name, each with what is known of it now. */
export function zonesNow(present: Present, site: Site | null, now: number): ZoneNow[] {
  const patience = (site?.no_data_after_seconds ?? NO_DATA_AFTER_SECONDS) * 1000;
  const zones = new Map<string, Map<string, CameraNow>>();
  const camera = (zone_id: string, camera_id: string): CameraNow => {
    let cameras = zones.get(zone_id);
    if (!cameras) zones.set(zone_id, (cameras = new Map()));
    let found = cameras.get(camera_id);
    if (!found) {
      const name = cameraName(site, camera_id);
      found = { camera_id, name, risk: null, lastSeen: null, nodata: true, clockSuspect: false };
      cameras.set(camera_id, found);
    }
    return found;
  };
  for (const zone of site?.zones ?? []) if (!zones.has(zone.zone_id)) zones.set(zone.zone_id, new Map());
  for (const one of site?.cameras ?? []) if (one.zone_id) camera(one.zone_id, one.camera_id);
  for (const one of present.health?.cameras ?? []) {
    if (!one.zone_id) continue;
    const own = camera(one.zone_id, one.camera_id);
    own.lastSeen = later(own.lastSeen, one.last_seen === null ? null : Date.parse(one.last_seen));
    own.clockSuspect = one.clock_suspect;
  }
  for (const { snapshot, at } of present.snapshots.values()) {
    const own = camera(snapshot.zone_id, snapshot.camera_id);
    own.lastSeen = later(own.lastSeen, at);
    if (now - at <= LIVE_MS) own.risk = snapshot.risk_score;
  }
  const alerts = [...present.alerts.values()].filter((alert) => open(alert) && alert.subject === 'risk' && !alert.silenced);
  const list = [...zones].map(([zone_id, cameras]): ZoneNow => {
    const own = alerts.filter((alert) => alert.zone_id === zone_id);
    const all = [...cameras.values()].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
    for (const one of all) one.nodata = one.lastSeen === null || now - one.lastSeen > patience;
    return {
      zone_id,
      name: zoneName(site, zone_id),
      risk: all.reduce<number | null>((most, { risk }) => (risk === null ? most : Math.max(most ?? 0, risk)), null),
      alerts: own.length,
      worst: worst(own),
      lastSeen: all.reduce<number | null>((last, one) => later(last, one.lastSeen), null),
      nodata: all.every((one) => one.nodata),
      cameras: all,
    };
  });
  return list.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
}

const later = (a: number | null, b: number | null) => (a === null ? b : b === null ? a : Math.max(a, b));

/**
 * The one big state. A lost link outranks all, for then nothing else is known; people at risk come before a lack of
 * data; and only where every zone is heard and nothing is open it is quiet.
 */
export function headline(link: Link, present: Present, zones: readonly ZoneNow[]): Headline {
  const base: Headline = {
    kind: 'quiet', since: null, zones: [], rules: [], count: 0, seen: false, worst: null, silenced: 0,
  };
  if (link.phase !== 'up') return { ...base, kind: link.phase, since: link.since };
  const going = [...present.alerts.values()].filter(open);
  const silenced = going.filter((alert) => alert.silenced).length;
  const risk = going.filter((alert) => alert.subject === 'risk' && !alert.silenced);
  const named = (ids: (string | null)[]) =>
    [...new Set(ids)].flatMap((id) => {
      const zone = zones.find((one) => one.zone_id === id);
      return zone ? [zone.name] : id ? [shortId(id)] : [];
    });
  if (risk.length > 0) {
    const unseen = risk.filter((alert) => alert.state === 'raised');
    const about = unseen.length > 0 ? unseen : risk;
    return {
      ...base,
      kind: 'alert',
      since: Math.min(...about.map((alert) => Date.parse(alert.started_at))),
      zones: named(about.map((alert) => alert.zone_id)),
      count: about.length,
      seen: unseen.length === 0,
      worst: worst(about),
      silenced,
    };
  }
  const blind = zones.filter((zone) => zone.nodata);
  const lastSeen = (list: readonly ZoneNow[]) => list.reduce<number | null>((last, zone) => later(last, zone.lastSeen), null);
  if (blind.length === zones.length) {
    return { ...base, kind: 'nodata', since: lastSeen(zones), silenced };
  }
  const system = going.filter((alert) => alert.subject === 'system' && wanting(alert));
  if (system.length > 0 || blind.length > 0) {
    const since = [...system.map((alert) => Date.parse(alert.started_at)), ...blind.flatMap((zone) => zone.lastSeen ?? [])];
    return {
      ...base,
      kind: 'check',
      since: since.length > 0 ? Math.min(...since) : null,
      zones: blind.map((zone) => zone.name),
      rules: [...new Set(system.map((alert) => alert.rule))],
      count: system.length,
      worst: worst(system),
      silenced,
    };
  }
  // Quiet since the last alert went; without one nobody here knows for how long.
  const ends = [...present.alerts.values()]
    .filter((alert) => alert.subject === 'risk' && !alert.late)
    .flatMap((alert) => (alert.ended_at ? [Date.parse(alert.ended_at)] : []));
  return { ...base, since: ends.length > 0 ? Math.max(...ends) : null, silenced };
}

/** What the list shows; in the URL, so that it can be sent to somebody. */
export interface Filter {
  state: 'open' | 'raised' | 'acknowledged' | 'cleared' | 'silenced' | 'all';
  zone: string;
  camera: string;
  severity: string;
  subject: string;
  q: string;
}

export const unfiltered: Filter = { state: 'open', zone: '', camera: '', severity: '', subject: '', q: '' };

export function matches(alert: Alert, filter: Filter, text: (alert: Alert) => string): boolean {
  const state = filter.state === 'all'
    || (filter.state === 'open' ? open(alert) : filter.state === 'silenced' ? !!alert.silenced : alert.state === filter.state);
  return (
    state
    && (!filter.zone || alert.zone_id === filter.zone)
    && (!filter.camera || alert.camera_id === filter.camera)
    && (!filter.severity || alert.severity === filter.severity)
    && (!filter.subject || alert.subject === filter.subject)
    && (!filter.q || text(alert).toLowerCase().includes(filter.q.trim().toLowerCase()))
  );
}

/** What wants somebody comes first, the worst of it on top, the longest of equals; then what is over, the latest first. */
export function order(a: Alert, b: Alert): number {
  return (
    place(a) - place(b)
    || (open(a)
      ? RANK[b.severity] - RANK[a.severity] || text(a.started_at, b.started_at)
      : text(b.raised_at, a.raised_at))
    || (a.alert_id < b.alert_id ? -1 : 1)
  );
}

/** Times in UTC sort as text, to the second; a thousand of them are not parsed at each change. */
const text = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function place(alert: Alert): number {
  if (!open(alert)) return 4;
  if (alert.silenced) return 3;
  if (alert.state === 'acknowledged') return 2;
  return alert.subject === 'risk' ? 0 : 1;
}

export const activeSilences = (silences: readonly Silence[], now: number) =>
  silences.filter((one) => !one.ended && Date.parse(one.until) > now);
