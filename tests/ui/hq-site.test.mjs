// A site's figures, completeness, rules and settings, against a real headquarters with a real edge.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test, { after, before } from 'node:test';
import { axe, event, openPage, send, startBrowser, until, ZONES } from './harness.mjs';
import { headers, signedIn, startHeadquarters } from './hq.mjs';

let browser;
let hq;
let edge;
let page;
const EVENTS = 600;
before(async () => {
  [browser, hq] = await Promise.all([startBrowser(), startHeadquarters({ edges: 1, accounts: { sam: 'safety-manager' } })]);
  [edge] = hq.edges;
  // Three people in one zone, so few that their figures are theirs alone; six in the next, which is held back with them, or
  // they could be worked out from the whole; eight in the largest.
  const people = Array.from({ length: 17 }, randomUUID);
  const place = (person) => (person < 8 ? ['Picking', 'cam-01'] : person < 14 ? ['Racking', 'cam-03'] : ['Receiving', 'cam-02']);
  const now = Date.now();
  const events = Array.from({ length: EVENTS }, (_, index) => {
    const [zone, camera] = place(index % 17);
    return event({ warehouse_id: edge.warehouse_id, zone, camera, worker: people[index % 17], risk: index % 10 === 0 ? 80 : 30, at: now - 10_000 - index * 1_000 });
  });
  await send(edge, events, headers(edge));
  await until('the events at headquarters', async () => (await hq.get(`/api/v1/ledger?warehouse_id=${edge.warehouse_id}`)).totals.stored >= EVENTS, 60_000);
  page = await openPage(browser, hq.url);
  await signedIn(page, 'sam');
});
after(async () => {
  await browser?.close();
  await hq?.stop();
});

const open = async (path, there) => {
  await page.goto(hq.url + path);
  await page.locator(there).first().waitFor();
};

test('names that are set here are shown, and those that are wrong are refused in the server’s words', async () => {
  await open(`/sites/${edge.warehouse_id}/settings`, '[data-action=save]');
  await page.locator('[data-field=name]').fill('Leipzig 1');
  await page.locator('[data-field=time_zone]').fill('Berlin');
  await page.locator(`[data-name="${ZONES.Picking}"]`).fill('Picking');
  await page.locator('[data-action=save]').click();
  await page.locator('[data-testid=refused]', { hasText: 'Berlin' }).waitFor();
  await page.locator('[data-field=time_zone]').fill('Europe/Berlin');
  await page.locator('[data-action=save]').click();
  await page.getByRole('heading', { level: 1, name: 'Settings: Leipzig 1' }).waitFor();
  assert.equal((await hq.get(`/api/v1/sites/${edge.warehouse_id}/settings`)).time_zone, 'Europe/Berlin');
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Settings: Leipzig 1' }).waitFor();
  assert.equal(await page.locator(`[data-name="${ZONES.Picking}"]`).inputValue(), 'Picking');
});

test('a rule set made here is applied by the edge, a bad one is refused at its field', async () => {
  await open(`/rules/${edge.warehouse_id}`, '[data-action=edit]');
  await page.getByText('each edge’s own configuration').first().waitFor();
  await page.locator('[data-action=edit]').click();
  const threshold = page.locator('[data-field=threshold]');
  await threshold.fill('140');
  await page.locator('[data-action=check]').click();
  await until('the mark', async () => (await threshold.getAttribute('aria-invalid')) === 'true');
  await page.getByText('is not a score above 0 and up to 100').waitFor();
  await threshold.fill('high');
  await page.locator('[data-action=check]').click();
  await until('the mark', async () => (await threshold.getAttribute('aria-invalid')) === 'true');
  await threshold.fill('65');
  await page.locator('[data-field=clear_below]').fill('60');
  await page.locator('label', { hasText: 'Note: why?' }).locator('input').fill('heavier boxes since Monday');
  await page.locator('[data-action=check]').click();
  await page.getByText('Headquarters finds no fault with these rules.').waitFor();
  await page.locator('[data-action=publish]').click();
  await page.getByText('In force: Version 1').waitFor();
  await page.locator('#edges [data-rules-state=applied]').waitFor({ timeout: 45_000 });
  assert.match(await page.locator('[data-version="1"]').innerText(), /made by sam[^]*heavier boxes since Monday/);
  assert.deepEqual(await axe(page), []);
  // And back to its own.
  await page.locator('[data-action=hand-back]').click();
  await page.locator('[data-action=hand-back-now]').click();
  await page.locator('#edges [data-rules-state=own]').waitFor({ timeout: 45_000 });
  await open('/rules', '#sites tbody tr');
  assert.match(await page.locator('#sites tbody tr').first().innerText(), /Leipzig 1\s+each edge’s own configuration[^]*1 by its own/);
});

test('what the edge accepted is all here, period by period, and the file says the same', async () => {
  await open(`/completeness?site=${edge.warehouse_id}&by=hour&range=28d`, '#periods');
  const sum = (label) => page.locator('#periods tbody tr').evaluateAll((rows, own) => rows.reduce((all, row) => all + Number(row.querySelector(`[data-label="${own}"]`).innerText.replace(/\D/g, '')), 0), label);
  await until('all that was stored', async () => {
    await page.reload();
    await page.locator('#periods').waitFor();
    return (await sum('Stored')) >= EVENTS;
  }, 60_000);
  assert.equal(await sum('Missing'), 0);
  // The present hour goes on, so nobody can call it complete.
  await page.locator('#periods tbody tr').first().getByText('filling (not over yet)').waitFor();
  const link = await page.locator('[data-testid=export]').getAttribute('href');
  const file = await page.evaluate(async (path) => {
    const response = await fetch(path);
    return { type: response.headers.get('content-type'), text: await response.text() };
  }, link);
  assert.match(file.type, /text\/csv/);
  assert.ok(file.text.includes('not over yet'), file.text);
});

test('figures of few people are held back, those of more are shown', async () => {
  await open(`/trends?site=${edge.warehouse_id}&view=distribution&range=28d`, '#zones');
  assert.match(await page.locator('#zones').innerText(), /Picking\s+[\d.]+%/);
  const small = await page.locator('#zones tbody tr').evaluateAll((rows) => rows.map((row) => row.innerText).find((text) => !text.includes('Picking')));
  assert.match(small, /Under 5 people/);
  await open(`/trends?site=${edge.warehouse_id}&range=today&by=hour`, '[data-testid=trend] canvas');
  await page.locator('[data-testid=trend] input[type=range]').focus();
  await page.keyboard.press('End');
  assert.match(await page.locator('[data-testid=reading]').innerText(), /Mean risk|No data/);
  await open(`/trends?site=${edge.warehouse_id}&view=heatmap&range=28d`, '[data-testid=heatmap]');
  assert.ok((await page.locator('[data-cell=data]').count()) >= 1);
  assert.ok((await page.locator('[data-cell=suppressed]').count()) >= 1);
  assert.ok((await page.locator('[data-cell=nodata]').count()) >= 24, 'most hours saw nothing');
  await open(`/trends?site=${edge.warehouse_id}&with=last-week`, '[data-testid=empty], [data-testid=differences]');
  await open('/trends?range=28d', '#sites tbody tr');
  assert.match(await page.locator('#sites tbody tr').first().innerText(), /Leipzig 1|[0-9a-f]{8}/);
  for (const file of ['trend.csv?by=hour&', 'heatmap.csv?']) {
    const url = `/api/v1/${file}warehouse_id=${edge.warehouse_id}&from=${new Date(Date.now() - 86_400_000).toISOString()}&to=${new Date().toISOString()}`;
    assert.equal(await page.evaluate(async (path) => (await fetch(path)).status, url), 200);
  }
  assert.deepEqual(page.broken, []);
});
