// A real headquarters: Postgres, Redis, central and its edges, started by `stack`, with accounts.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BIN, event, PASSWORD, send, until, ZONES } from './harness.mjs';

export { PASSWORD };

/** Starts everything; `accounts` are names with their roles. */
export async function startHeadquarters({ edges = 0, accounts = {} } = {}) {
  const child = spawn(join(BIN, 'stack'), ['--edges', String(edges)], { stdio: ['pipe', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (bytes) => (log += bytes));
  const ready = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`stack ended with ${code}:\n${log}`)));
  });
  const [{ url, token }] = ready.central;
  /** Runs central's command line beside it. */
  const cli = (args, input = '') => new Promise((resolve, reject) => {
    const own = spawn(join(BIN, 'smartpick-central'), [...args, '--config', ready.central_config], { stdio: 'pipe' });
    let [out, err] = ['', ''];
    own.stdout.on('data', (bytes) => (out += bytes));
    own.stderr.on('data', (bytes) => (err += bytes));
    own.on('error', reject);
    own.on('exit', (code) => (code === 0 ? resolve(out) : reject(new Error(`${args.join(' ')}: ${code}\n${out}${err}`))));
    own.stdin.end(input);
  });
  const hq = {
    ...ready, url, token, cli,
    addUser: (name, role) => cli(['users', 'add', name, '--role', role, '--password-stdin'], `${PASSWORD}\n`),
    /** What the API says, to a program with every scope a token may have by default. */
    get: async (path) => {
      const response = await fetch(url + path, { headers: { authorization: `Bearer ${token}` } });
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return response.json();
    },
    stop: () => new Promise((resolve) => {
      if (child.exitCode !== null) return resolve();
      child.once('exit', resolve);
      // It leaves nothing behind when its stdin ends.
      child.stdin.end();
    }),
  };
  for (const [name, role] of Object.entries(accounts)) await hq.addUser(name, role);
  return hq;
}

export const headers = (edge) => ({ authorization: `Bearer ${edge.camera_token}` });

/** Every zone of an edge is watched and nobody is at risk. */
export function calm(edge, cameras = { 'cam-01': 'Picking', 'cam-02': 'Receiving' }) {
  const events = () => Object.entries(cameras).map(([camera, zone]) => event({ zone, camera, warehouse_id: edge.warehouse_id, risk: 20 + 10 * Math.random() }));
  const tick = () => send(edge, events(), headers(edge)).catch(() => {});
  void tick();
  const timer = setInterval(tick, 500);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

export async function signIn(page, name, password = PASSWORD) {
  await page.locator('[data-testid=login]').waitFor();
  await page.fill('[name=name]', name);
  await page.fill('[name=password]', password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Signed in, and the first picture is there. */
export async function signedIn(page, name) {
  await signIn(page, name);
  await page.locator('[data-phase=up], [data-phase=polled]').first().waitFor();
}

export { until, ZONES };
