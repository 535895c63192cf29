// A real edge on a port of its own, a wire to it that can be cut, cameras made of POSTs, and a real browser.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Where our binaries are. */
export const BIN = process.env.BIN || join(process.env.CARGO_TARGET_DIR || join(root, 'target'), 'release');
const EDGE = join(BIN, 'smartpick-edge');
const CHROMIUM = process.env.CHROMIUM
  || ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));

export const WAREHOUSE = '366ed0a5-3794-5421-a05c-cd4828bbf97c';
export const ZONES = {
  Picking: '12a04985-3ede-5b97-a75d-e0adc7a2b86e',
  Receiving: 'fa152f1c-00b2-5a34-862c-0705db495df2',
  Racking: '5f0a4b0e-63c8-5d2e-9d3c-7a3f5a1e2b4c',
};
const CAMERAS = { 'cam-01': 'Picking', 'cam-02': 'Receiving', 'cam-03': 'Racking' };
export const PASSWORD = 'twelve brown boxes on a blue pallet';

/** Waits until `check` gives something true, and says what it waited for if it never does. */
export async function until(what, check, timeout = 20_000) {
  const end = Date.now() + timeout;
  let last;
  for (;;) {
    try {
      last = await check();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited ${timeout} ms for: ${what}; last: ${last?.message ?? JSON.stringify(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const CONFIG = `
[site]
name = "Leipzig"
time_zone = "Europe/Berlin"
${Object.entries(ZONES).map(([name, id]) => `[[site.zones]]\nzone_id = "${id}"\nname = "${name}"`).join('\n')}
${Object.entries(CAMERAS).map(([id, zone]) => `[[site.cameras]]\ncamera_id = "${id}"\nname = "${id}"\nzone_id = "${ZONES[zone]}"`).join('\n')}
[[site.shifts]]
name = "All day"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
start = "00:00"
end = "00:00"
`;

/** Starts an edge. `config` is appended to its configuration file. */
export async function startEdge({ config = '', bare = false } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'smartpick-ui-'));
  const port = await freePort();
  const file = join(dir, 'edge.toml');
  const named = bare ? '' : CONFIG;
  await writeFile(file, `listen = "127.0.0.1:${port}"\ndata_dir = "${dir}/data"\nwarehouse_id = "${WAREHOUSE}"\n${config}\n${named}`);
  const edge = { dir, port, file, url: `http://127.0.0.1:${port}`, log: '' };
  edge.start = async () => {
    const child = spawn(EDGE, ['run', '--config', file], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, HOME: dir } });
    edge.child = child;
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (edge.log += bytes));
    await until('the edge to listen', async () => {
      if (child.exitCode !== null) throw new Error(`the edge ended:\n${edge.log}`);
      return (await fetch(`${edge.url}/livez`)).ok;
    });
  };
  edge.kill = () => new Promise((resolve) => {
    if (edge.child.exitCode !== null || edge.child.signalCode !== null) return resolve();
    edge.child.once('exit', resolve);
    edge.child.kill('SIGTERM');
  });
  edge.stop = async () => {
    await edge.kill();
    await rm(dir, { recursive: true, force: true });
  };
  /** Runs the command line beside it. */
  edge.cli = (args, input = '') => new Promise((resolve, reject) => {
    const child = spawn(EDGE, args, { stdio: 'pipe', env: { PATH: process.env.PATH, HOME: dir, SMARTPICK_EDGE_CONFIG: file } });
    let [out, err] = ['', ''];
    child.stdout.on('data', (bytes) => (out += bytes));
    child.stderr.on('data', (bytes) => (err += bytes));
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve(out) : reject(new Error(`${args.join(' ')}: ${code}\n${out}${err}`))));
    child.stdin.end(input);
  });
  await edge.start();
  return edge;
}

/** A wire to a port, which can be cut and healed. */
export async function startWire(port) {
  const sockets = new Set();
  let open = true;
  const server = net.createServer((near) => {
    if (!open) return near.destroy();
    const far = net.connect(port, '127.0.0.1');
    for (const [one, other] of [[near, far], [far, near]]) {
      sockets.add(one);
      one.unref();
      one.on('error', () => other.destroy());
      one.on('close', () => (sockets.delete(one), other.destroy()));
      one.pipe(other);
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  const cut = () => {
    open = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut,
    heal: () => (open = true),
    close: () => (cut(), new Promise((resolve) => server.close(resolve))),
  };
}

const STANDING = {
  head: [0.5, 0.30], neck: [0.5, 0.38], left_shoulder: [0.53, 0.4], right_shoulder: [0.47, 0.4], left_elbow: [0.55, 0.5], right_elbow: [0.45, 0.5],
  left_wrist: [0.555, 0.6], right_wrist: [0.445, 0.6], left_hip: [0.52, 0.6], right_hip: [0.48, 0.6], left_knee: [0.52, 0.76], right_knee: [0.48, 0.76], left_ankle: [0.52, 0.92], right_ankle: [0.48, 0.92],
};
const BENT = {
  head: [0.6, 0.62], neck: [0.575, 0.58], left_shoulder: [0.57, 0.57], right_shoulder: [0.56, 0.58], left_elbow: [0.59, 0.68], right_elbow: [0.58, 0.69],
  left_wrist: [0.6, 0.8], right_wrist: [0.59, 0.81], left_hip: [0.48, 0.55], right_hip: [0.47, 0.56], left_knee: [0.5, 0.74], right_knee: [0.49, 0.75], left_ankle: [0.485, 0.92], right_ankle: [0.475, 0.92],
};

export function event({ zone = 'Picking', zone_id = ZONES[zone], camera = 'cam-01', worker = null, risk = 20, at = Date.now(), warehouse_id = WAREHOUSE }) {
  const keypoints = Object.entries(risk >= 60 ? BENT : STANDING).map(([name, [x, y]]) => [name, { x, y, confidence: name === 'right_wrist' ? 0.4 : 0.93 }]);
  return {
    event_id: randomUUID(), event_time: new Date(at).toISOString(), warehouse_id, zone_id, camera_id: camera, worker_id: worker,
    model_version: 'v1.2.3', risk_score: risk, posture_keypoints: Object.fromEntries(keypoints), confidence: 0.9, source: 'camera',
  };
}

export async function send(edge, events, headers = {}) {
  for (let from = 0; from < events.length; from += 1000) {
    const body = JSON.stringify(events.slice(from, from + 1000));
    const response = await fetch(`${edge.url}/ingestion/ergonomics`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
    if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`);
  }
}

/**
 * Somebody bends for `seconds` up to now, as a camera would have told it: raised under the default rule if it is 3 s or
 * more. With `keep` it goes on until `stop()`.
 */
export async function bend(edge, { zone = 'Picking', camera = 'cam-01', worker = randomUUID(), seconds = 4, keep = false, risk = 84, headers } = {}) {
  const end = Date.now();
  const { warehouse_id = WAREHOUSE } = edge;
  const score = (at) => Math.min(100, risk + 6 * Math.sin(at / 700));
  const events = [];
  for (let at = end - seconds * 1000; at <= end; at += 125) events.push(event({ zone, camera, worker, risk: score(at), at, warehouse_id }));
  await send(edge, events, headers);
  if (!keep) return { worker, stop: () => {} };
  const timer = setInterval(() => void send(edge, [event({ zone, camera, worker, risk: score(Date.now()), warehouse_id })], headers).catch(() => {}), 125);
  // A test that fails before it stops this must still end.
  timer.unref();
  return { worker, stop: () => clearInterval(timer) };
}

/** Every zone is watched and nobody is at risk. */
export function calm(edge, headers) {
  const tick = () => send(edge, Object.entries(CAMERAS).map(([camera, zone], index) => event({ zone, camera, worker: `00000000-0000-4000-8000-00000000000${index}`, risk: 18 + 9 * index + 6 * Math.random() })), headers).catch(() => {});
  void tick();
  const timer = setInterval(tick, 500);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

export async function startBrowser() {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--disable-component-update', '--no-first-run',
      // A page from our disk counts as from elsewhere, and may then not ask a private address.
      ...(process.env.UI_DIST ? ['--disable-features=LocalNetworkAccessChecks'] : [])],
  });
}

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** What axe-core says against WCAG 2.2 AA, in a form that reads well in a failure. */
export async function axe(page) {
  // Through the debugger, past the page's own policy, which refuses foreign scripts.
  await page.evaluate(await readFile(AXE, 'utf8'));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations'] }));
  return violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any.map((one) => one.message).join('; ')}`).join('\n  ')}`);
}

/** UI_DIST=../../edge/ui/dist shows a page that was just built in a binary that embeds an older one; never set by make. */
async function serveFromDisk(context, dist) {
  await context.route((url) => url.pathname.startsWith('/assets/'), (route) => route.fulfill({ path: join(dist, new URL(route.request().url()).pathname) }));
  await context.route('**', async (route) => {
    // Every view is the same document.
    if (route.request().resourceType() !== 'document') return route.fallback();
    const response = await route.fetch();
    const { 'content-encoding': _, 'content-length': __, ...headers } = response.headers();
    await route.fulfill({ status: 200, headers, body: await readFile(join(dist, 'index.html'), 'utf8') });
  });
}

/** A page that must ask only its own origin, break no policy and throw nothing; `page.broken` tells. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...options });
  if (process.env.UI_DIST) await serveFromDisk(context, process.env.UI_DIST);
  const page = await context.newPage();
  const origin = new URL(url).origin;
  page.broken = [];
  page.asked = [];
  page.on('request', (request) => {
    page.asked.push(request.url());
    if (!request.url().startsWith(origin)) page.broken.push(`asked elsewhere: ${request.url()}`);
  });
  page.on('websocket', (socket) => {
    page.asked.push(socket.url());
    if (new URL(socket.url()).host !== new URL(origin).host) page.broken.push(`socket elsewhere: ${socket.url()}`);
  });
  page.on('pageerror', (error) => page.broken.push(`threw: ${error.stack}`));
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) page.broken.push(`policy: ${message.text()}`);
  });
  await page.addInitScript(() => {
    globalThis.policyBroken = [];
    addEventListener('securitypolicyviolation', (event) => globalThis.policyBroken.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(url);
  return page;
}

/** The one big state of a page. */
export const state = (page) => page.getAttribute('[data-testid=state]', 'data-state');
export const waitState = (page, kind, timeout) => until(`the state ${kind}`, async () => (await state(page)) === kind, timeout);
