// Pictures of both pages' main states, so that anyone can look: node screenshots.mjs DIRECTORY
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bend, calm, openPage, PASSWORD, startBrowser, startEdge, startWire, until, waitState } from './harness.mjs';
import { shootHeadquarters } from './hq-screenshots.mjs';

const out = process.argv[2] ?? 'screenshots';
const SIZES = {
  wall: { viewport: { width: 1920, height: 1080 } },
  tablet: { viewport: { width: 1180, height: 820 }, hasTouch: true },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
};

await mkdir(out, { recursive: true });
const browser = await startBrowser();
const edge = await startEdge();
const wire = await startWire(edge.port);
const stops = [];
try {
  const pages = {};
  for (const [name, size] of Object.entries(SIZES)) pages[name] = await openPage(browser, wire.url + (name === 'wall' ? '/?wall' : '/'), size);
  const shoot = async (what, { only = Object.keys(SIZES), fullPage = false } = {}) => {
    for (const name of only) await pages[name].screenshot({ path: join(out, `${what}-${name}.png`), fullPage });
  };
  const all = (kind) => Promise.all(Object.values(pages).map((page) => waitState(page, kind)));
  await all('nodata');
  await shoot('no-data');
  const quiet = calm(edge);
  stops.push(quiet);
  await all('quiet');
  await shoot('quiet');
  stops.push(await bend(edge, { zone: 'Picking', camera: 'cam-01', seconds: 12, keep: true }));
  stops.push(await bend(edge, { zone: 'Receiving', camera: 'cam-02', seconds: 5, keep: true, risk: 90 }));
  const { tablet } = pages;
  await until('two alerts', async () => (await tablet.locator('[data-alert]').count()) >= 2);
  await shoot('alert');
  await tablet.locator('[data-action=silence]').first().click();
  await shoot('silence', { only: ['tablet'] });
  await tablet.keyboard.press('Escape');
  for (const name of ['tablet', 'phone']) {
    await pages[name].locator('[data-alert] h3 a').first().click();
    await pages[name].locator('[data-testid=detail] canvas').waitFor();
  }
  await shoot('detail', { only: ['tablet', 'phone'], fullPage: true });
  await tablet.emulateMedia({ colorScheme: 'dark' });
  await tablet.reload();
  await tablet.locator('[data-testid=detail] canvas').waitFor();
  await shoot('detail-dark', { only: ['tablet'], fullPage: true });
  await tablet.emulateMedia({ colorScheme: 'light' });
  for (const name of ['tablet', 'phone']) {
    await pages[name].getByRole('link', { name: 'Shift', exact: true }).click();
    // Figures reach the disk every few seconds, and the page asks for them every fifteen.
    await until('a shift with some figures', async () => Number((await pages[name].locator('.figures dd').first().innerText()).replace(/\D/g, '')) > 50, 40_000);
  }
  await shoot('shift', { only: ['tablet', 'phone'], fullPage: true });
  await tablet.emulateMedia({ media: 'print' });
  await shoot('shift-print', { only: ['tablet'], fullPage: true });
  await tablet.emulateMedia({ media: 'screen' });
  for (const name of ['tablet', 'phone']) await pages[name].getByRole('link', { name: 'Alerts', exact: true }).click();
  wire.cut();
  await all('lost');
  await shoot('connection-lost');
  wire.heal();
  await all('alert');
  await edge.cli(['users', 'add', 'maria', '--role', 'supervisor', '--password-stdin'], `${PASSWORD}\n`);
  await until('the edge to want an account', async () => (await fetch(`${edge.url}/api/v1/site`)).status === 401);
  for (const name of ['tablet', 'phone']) {
    await pages[name].reload();
    await pages[name].locator('[data-testid=login]').waitFor();
  }
  await shoot('login', { only: ['tablet', 'phone'] });
  await shootHeadquarters(browser, out);
  process.stderr.write(`Pictures are in ${out}\n`);
} finally {
  for (const { stop } of stops) stop();
  await browser.close();
  await wire.close();
  await edge.stop();
}
