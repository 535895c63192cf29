// Headquarters as a browser sees it, made of answers that a test chooses: for numbers of sites and states of things that
// a real system would need hours to get into. What a real one answers is tested in hq-*.test.mjs beside this.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../../central/ui/dist', import.meta.url));
export const ORIGIN = 'http://headquarters.test';
export const now = () => Date.now();
export const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();
export const uuid = (index) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;

const COMPLETE = { state: 'complete', text: 'complete', missing: 0, backlog: 0, drain_seconds: null };

export function site(index, change = {}) {
  return {
    warehouse_id: uuid(index), name: `Warehouse ${index}`, state: 'healthy', reasons: [], reason_codes: [], since: ago(86_400), edges: 1, edges_silent: 0, backlog: 0,
    oldest_age_seconds: null, drain_seconds: null, last_heartbeat_at: ago(4), last_progress_at: ago(2), last_event_time: ago(2), events_per_second: 12.4,
    alerts_open: 0, alerts_unacknowledged: 0, dead_letters_open: 0, missing: 0, completeness: COMPLETE, ...change,
  };
}

export function alert(index, change = {}) {
  return {
    alert_id: uuid(900_000 + index), warehouse_id: uuid(1), edge_id: uuid(700_001), revision: 1, state: 'raised', subject: 'risk', rule: 'sustained-risk', severity: 'warning',
    zone_id: uuid(500_001), camera_id: 'dock-3', started_at: ago(95), raised_at: ago(92), ended_at: null, peak: 92.4, peak_at: ago(30), events: 760, episodes: 1,
    summary: 'risk of 70 or more for at least 3 s', stored_at: ago(91), acknowledged: null, silenced: null, ...change,
  };
}

/** Every kind of trouble, and some that are well. */
export function fleet() {
  return [
    site(1, { name: 'Leipzig', state: 'degraded', reasons: ['camera dock-3 silent', 'its backlog of 12400 events is not draining'], since: ago(1900), backlog: 12_400, oldest_age_seconds: 1_900, drain_seconds: 190, alerts_open: 3, alerts_unacknowledged: 2, completeness: { state: 'filling', text: 'filling', missing: 0, backlog: 12_400, drain_seconds: 190 } }),
    site(2, { name: 'Poznań', state: 'offline', reasons: ['last heartbeat 3 h ago', '48210 events were waiting there then'], since: ago(11_000), edges_silent: 1, backlog: 48_210, oldest_age_seconds: 12_000, last_heartbeat_at: ago(11_100), last_event_time: ago(11_100), events_per_second: 0, completeness: { state: 'filling', text: '', missing: 0, backlog: 48_210, drain_seconds: null } }),
    site(3, { name: 'Zaragoza', alerts_open: 1 }),
    site(4, { name: 'Hamburg-Altenwerder, Halle 2 (Kühlbereich und Versand)', state: 'degraded', reasons: ['17 events it accepted are missing'], since: ago(700_000), missing: 17, dead_letters_open: 2, completeness: { state: 'missing', text: '17 missing', missing: 17, backlog: 0, drain_seconds: null } }),
    site(5, { name: null, state: 'unknown', reasons: ['never heard of'], since: null, last_heartbeat_at: null, last_progress_at: null, last_event_time: null, events_per_second: 0, completeness: { ...COMPLETE, state: 'unknown', text: 'unknown' } }),
    site(6, { name: 'Rotterdam', state: 'stale', reasons: ['last heartbeat 41 s ago'], since: ago(12), last_heartbeat_at: ago(41), last_event_time: ago(42) }),
    site(7, { name: 'Lyon' }),
  ];
}

export const ZONES = [{ zone_id: uuid(500_001), name: 'Picking' }, { zone_id: uuid(500_002), name: 'Receiving' }, { zone_id: uuid(500_003), name: 'Racking' }];

function detail(row, edges = []) {
  const edge = (index, change) => ({
    edge_id: uuid(700_000 + index), name: `north ${index}`, state: row.state, reasons: row.reasons, since: row.since, version: '0.4.0', last_heartbeat_at: row.last_heartbeat_at, certificate_until: ago(-70 * 86_400), certificate_renewed_at: ago(20 * 86_400), copy_seen_at: null,
    last_progress_at: row.last_progress_at, buffered: row.backlog, missing: row.missing, rules_version: 3, heartbeat: null, ledger: {}, epochs: [], ...change, ...edges[index - 1],
  });
  const camera = (camera_id, zone, change = {}) => ({ camera_id, name: null, zone_id: ZONES[zone].zone_id, edge_id: uuid(700_001), last_seen_at: ago(1), clock_suspect: false, silent: false, ...change });
  return {
    ...row, time_zone: 'Europe/Berlin', alerts_off: row.alerts_off ?? false, stats: {},
    zones: row.last_event_time === null ? [] : ZONES.map((zone) => ({ ...zone, last_event_time: row.last_event_time, first_seen_at: ago(9_000_000) })),
    cameras: row.last_event_time === null ? [] : [camera('dock-1', 0), camera('dock-3', 0, { silent: true, last_seen_at: ago(1_300) }), camera('belt-2', 1, { clock_suspect: true }), camera('rack-7', 2)],
    edge_list: [edge(1), edge(2, { state: 'healthy', reasons: [], buffered: 0, rules_version: null, certificate_until: null, certificate_renewed_at: null })],
    shut_out: row.shut_out ?? [],
  };
}

function history() {
  const states = [['healthy', 80_000, []], ['degraded', 30_000, ['camera dock-3 silent']], ['offline', 21_000, ['last heartbeat 2 min ago']], ['stale', 14_500, []], ['healthy', 14_000, []], ['degraded', 1_900, ['camera dock-3 silent']]];
  const heartbeats = [];
  for (let at = 80_000; at > 0; at -= 300) {
    if (at < 21_000 && at > 14_400) continue;
    const backlog = at < 14_400 && at > 3_000 ? Math.round(22_000 * ((at - 3_000) / 11_400)) : 0;
    heartbeats.push({ at: ago(at), edge_id: uuid(700_001), live: 3, backlog, oldest_age_seconds: null });
  }
  const both = [null, uuid(700_001)];
  return { states: states.flatMap(([state, at, reasons]) => both.map((edge_id) => ({ at: ago(at), edge_id, state, reasons }))), heartbeats };
}

const ALL = ['read', 'act', 'people', 'admin'];

/**
 * Answers every request of a page. `answers` maps "METHOD /path" (without its query) to a body, a function of the request
 * that gives one, or `{status, body}`; what is not there is 404.
 */
export async function fake(browser, { sites = fleet(), alerts = [], scopes = ALL, role = 'safety-manager', edges = [], answers = {}, context: options = {}, path = '/', noSockets = false } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: 'en-GB', timezoneId: 'Europe/Berlin', ...options });
  const world = { sites, alerts, scopes, role, noSockets, ill: null, asked: [], seq: 1, sockets: new Set() };
  const known = {
    'GET /api/v1/session': () => ({ kind: 'user', name: 'maria', role: world.role, scopes: world.scopes }),
    'GET /streams/health': () => ({ status: 'healthy', reasons: [], codes: [], ...world.ill }),
    'GET /api/v1/silences': () => ({ silences: [], next: null }),
    'GET /api/v1/alerts': () => ({ alerts: [], next: null }),
    'GET /api/v1/dead-letters': () => ({ dead_letters: [], next: null }),
    'GET /api/v1/fleet/health': () => (world.down ? { status: 503, body: { code: 'database_unavailable', message: 'no' } } : { generated_at: new Date().toISOString(), events_per_second: 9, alerts_open: world.alerts.length, counts: {}, sites: world.sites }),
    ...answers,
  };
  for (const row of sites) {
    known[`GET /api/v1/sites/${row.warehouse_id}`] ??= () => detail(world.sites.find((one) => one.warehouse_id === row.warehouse_id), edges);
    known[`GET /api/v1/sites/${row.warehouse_id}/history`] ??= history;
    known[`GET /api/v1/sites/${row.warehouse_id}/settings`] ??= () => ({
      name: row.name, name_reported: row.name, name_set: null, time_zone: 'Europe/Berlin', time_zone_reported: 'Europe/Berlin', time_zone_set: null,
      shifts: [{ name: 'early', days: ['mon', 'tue', 'wed', 'thu', 'fri'], start: '06:00', end: '14:00' }], shifts_reported: [], shifts_set: null,
      zones: ZONES, cameras: [],
    });
  }
  await context.route(`${ORIGIN}/**`, async (route) => {
    const request = route.request();
    const { pathname } = new URL(request.url());
    if (pathname.startsWith('/assets/')) return route.fulfill({ path: join(DIST, pathname) });
    // What a page asks again and again by itself, beside what it is asked to.
    const itself = ['/streams/health', '/api/v1/session'].includes(pathname) && request.method() === 'GET';
    if (!pathname.startsWith('/api/') && !itself) return route.fulfill({ contentType: 'text/html; charset=utf-8', headers: { etag: '"1"' }, body: await readFile(join(DIST, 'index.html'), 'utf8') });
    const asked = { method: request.method(), path: pathname, query: Object.fromEntries(new URL(request.url()).searchParams), body: request.postDataJSON() };
    if (!itself) world.asked.push(asked);
    const found = known[`${request.method()} ${pathname}`];
    const given = typeof found === 'function' ? await found(asked) : found;
    const { status, body } = typeof given?.status === 'number' ? given : { status: found === undefined ? 404 : 200, body: given ?? { code: 'not_found', message: 'there is no such thing' } };
    return route.fulfill({ status, contentType: status < 400 ? 'application/json' : 'application/problem+json', body: JSON.stringify(body) });
  });
  await context.routeWebSocket((url) => url.pathname === '/ws/fleet', (socket) => {
    world.sockets.add(socket);
    socket.onClose(() => world.sockets.delete(socket));
    if (world.down || world.noSockets) return socket.close();
    const rates = { events_per_second: world.sites.reduce((sum, one) => sum + one.events_per_second, 0) };
    socket.send(JSON.stringify({ type: 'snapshot', run: 'r', seq: world.seq, server_time: new Date().toISOString(), version: '0.4.0', sites: world.sites, alerts: world.alerts, rates }));
  });
  const send = (message) => {
    for (const socket of world.sockets) socket.send(JSON.stringify({ type: 'change', seq: (world.seq += 1), ...message }));
  };
  const beat = setInterval(() => world.sockets.forEach((socket) => socket.send(JSON.stringify({ type: 'beat', seq: world.seq, server_time: new Date().toISOString() }))), 4_000);
  beat.unref();
  const page = await context.newPage();
  page.broken = [];
  page.on('pageerror', (error) => page.broken.push(`threw: ${error.stack}`));
  await page.goto(ORIGIN + path);
  return {
    page, world,
    change: (row) => {
      world.sites = world.sites.map((one) => (one.warehouse_id === row.warehouse_id ? row : one));
      send({ topic: 'sites', site: row });
    },
    raise: (own) => send({ topic: 'alerts', alert: own }),
    cut: () => {
      world.down = true;
      for (const socket of [...world.sockets]) socket.close();
    },
    heal: () => (world.down = false),
    close: async () => {
      clearInterval(beat);
      // A page that asks by itself may be in the middle of that.
      await context.unrouteAll({ behavior: 'ignoreErrors' });
      await context.close();
    },
  };
}
