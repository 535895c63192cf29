// Alerts and dead letters at the real headquarters: what is said here reaches the floor, and who it was is recorded.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test, { after, before } from 'node:test';
import { promisify } from 'node:util';
import { axe, bend, openPage, startBrowser, until } from './harness.mjs';
import { calm, headers, signedIn, startHeadquarters } from './hq.mjs';

let browser;
let hq;
let edge;
let quiet;
before(async () => {
  [browser, hq] = await Promise.all([startBrowser(), startHeadquarters({ edges: 1, accounts: { maria: 'safety-manager', victor: 'viewer', ada: 'administrator' } })]);
  [edge] = hq.edges;
  quiet = calm(edge);
});
after(async () => {
  quiet?.stop();
  await browser?.close();
  await hq?.stop();
});

/** As the box shows it to whoever stands before it. */
const onTheFloor = async (id) => (await (await fetch(`${edge.url}/api/v1/alerts/${id}`)).json()).alert;

/** An alert on the page, by its row. */
async function raised(page, options) {
  const known = new Set(await page.locator('#alerts [data-row]').evaluateAll((rows) => rows.map((one) => one.dataset.row)));
  const bending = await bend(edge, { keep: true, headers: headers(edge), ...options });
  const id = await until('the alert at headquarters', async () => (await page.locator('#alerts [data-row]').evaluateAll((rows) => rows.map((one) => one.dataset.row))).find((own) => !known.has(own)), 30_000);
  return { ...bending, id, row: page.locator(`#alerts [data-row="${id}"]`) };
}

test('an alert shows by itself, and an acknowledgement with a note reaches the floor', async () => {
  const page = await openPage(browser, `${hq.url}/alerts`);
  await signedIn(page, 'maria');
  const worker = '11111111-2222-4333-8444-555555555555';
  const { id, row, stop } = await raised(page, { zone: 'Receiving', camera: 'cam-02', worker });
  assert.match(await row.innerText(), /Nobody sees to it/);
  await row.getByRole('link').first().click();
  await page.locator('[data-testid=story] li').first().waitFor();
  assert.match(page.url(), new RegExp(`/alerts/${id}`));
  await page.locator('[data-testid=note]').fill('I call the shift lead');
  await page.locator('[data-action=acknowledge]').click();
  await page.locator('[data-testid=story] li.acknowledge').waitFor();
  assert.match(await page.locator('[data-testid=story]').innerText(), /Acknowledged by maria \(headquarters\)\s*I call the shift lead/);
  assert.deepEqual(await axe(page), []);
  // With the answer to the next heartbeat.
  const there = await until('the floor to know', async () => {
    const alert = await onTheFloor(id);
    return alert?.acknowledged && alert;
  }, 30_000);
  assert.deepEqual([there.acknowledged.by, there.acknowledged.origin, there.acknowledged.note], ['maria', 'headquarters', 'I call the shift lead']);
  assert.doesNotMatch(await page.content(), new RegExp(worker), 'who it was is on no page by itself');
  await page.locator('[data-action=who]').click();
  assert.match(await page.locator('dialog').innerText(), /recorded in the audit/);
  await page.fill('dialog [name=reason]', 'first aid was called');
  await page.getByRole('button', { name: 'Record it and show' }).click();
  assert.equal(await page.locator('[data-testid=worker]').innerText(), worker);
  await page.locator('dialog').getByRole('button', { name: 'Close' }).click();
  assert.doesNotMatch(await page.content(), new RegExp(worker), 'it leaves with the sheet');
  const audit = await hq.cli(['audit']);
  assert.match(audit, /maria[\s\S]*first aid was called/);
  await page.getByText('Up to when it was raised; the rest comes when it is over.').waitFor();
  assert.ok((await page.locator('.curve tbody tr').count()) >= 1, 'the curve up to then');
  stop();
  await page.locator('[data-testid=story] li.over').waitFor({ timeout: 30_000 });
  const drawn = (canvas) => new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer).some((pixel) => pixel !== 0);
  assert.ok(await page.locator('.curve canvas').evaluate(drawn), 'it is drawn');
  const floor = await (await fetch(`${edge.url}/api/v1/alerts/${id}`)).json();
  const here = await hq.get(`/api/v1/alerts/${id}`);
  const moments = ({ curve }) => curve.map(({ t, risk }) => [Math.round(Date.parse(t) / 10), risk]);
  assert.deepEqual(moments(here), moments(floor), 'moment by moment what the floor has');
  assert.equal(here.threshold, floor.threshold);
  const shown = Math.ceil(here.curve.length / Math.ceil(here.curve.length / 30));
  await until('all of it on the page', async () => (await page.locator('.curve tbody tr').count()) === shown);
  assert.deepEqual(await axe(page), []);
  assert.deepEqual(page.broken, []);
  await page.context().close();
});

test('a silence with a reason holds on the floor too, and ends when somebody says so', async () => {
  const page = await openPage(browser, `${hq.url}/alerts`);
  await signedIn(page, 'maria');
  const { id, row, stop } = await raised(page, { zone: 'Picking', camera: 'cam-01' });
  await row.locator('[data-action=silence]').click();
  await page.getByText('Training').click();
  await page.locator('[data-action=silence-now]').click();
  await until('the row to say so', async () => /Silenced until (?:\w{3},? \w+ \w+, )?\d\d:\d\d(?: UTC)?: Training/.test(await row.innerText()));
  await until('the floor to be silent', async () => (await onTheFloor(id))?.silenced?.reason === 'Training', 30_000);
  await page.goto(`${hq.url}/silences`);
  await page.locator('#silences tbody tr').first().waitFor();
  assert.deepEqual(await axe(page), []);
  await page.locator('[data-action=end-silence]').click();
  await page.getByText('Nothing is silenced.').waitFor();
  await page.getByRole('button', { name: 'Ended' }).click();
  assert.match(await page.locator('#silences tbody tr').first().innerText(), /ended by maria/);
  await until('the floor to hear it again', async () => (await onTheFloor(id))?.silenced === null, 30_000);
  stop();
  await page.context().close();
});

test('an administrator is not offered who it was, a viewer nothing to press', async () => {
  const { alerts } = await hq.get('/api/v1/alerts');
  const one = alerts.find(({ subject }) => subject === 'risk');
  for (const [name, count] of [['ada', 0], ['victor', 0]]) {
    const page = await openPage(browser, `${hq.url}/alerts/${one.alert_id}`);
    await signedIn(page, name);
    await page.locator('[data-testid=story] li').first().waitFor();
    assert.equal(await page.locator('[data-action=who]').count(), count, name);
    assert.equal(await page.evaluate(async (path) => (await fetch(path)).status, `/api/v1/alerts/${one.alert_id}/person?reason=curious`), 403, name);
    if (name === 'victor') assert.equal(await page.locator('[data-action]').count(), 0);
    assert.equal(await page.locator('.curve').count(), name === 'victor' ? 0 : 1, 'single seconds are single events');
    await page.context().close();
  }
});

test('dead letters are looked at, tried again, and discarded with a reason', async () => {
  // What can never be stored is hard to come by: an event that is none, as a damaged edge would send it.
  const insert = `INSERT INTO dead_letters (edge_id, warehouse_id, batch_id, kind, reason, raw, raw_sha256)
    SELECT '${edge.edge_id}', '${edge.warehouse_id}', gen_random_uuid(), kind, 'it is not an event', raw, sha256(raw) FROM (VALUES ('record', '\\x7b2272697361'::bytea), ('record', '\\x93c00102'::bytea)) AS rows (kind, raw)`;
  await promisify(execFile)('psql', [hq.database_url, '-q', '-v', 'ON_ERROR_STOP=1', '-c', insert]);
  const page = await openPage(browser, `${hq.url}/dead-letters`);
  await signedIn(page, 'maria');
  await page.locator('#letters tbody tr').nth(1).waitFor();
  assert.deepEqual(await axe(page), []);
  await until('the header to count them', async () => /Dead letters\s*2/.test(await page.locator('.top nav').innerText()), 40_000);
  await page.locator('#letters tbody th a').last().click();
  await page.fill('[name=bytes-reason]', 'looking for the fault');
  await page.locator('[data-action=bytes]').click();
  await page.locator('[data-testid=bytes]').waitFor();
  assert.match(await page.locator('[data-testid=bytes]').innerText(), /000000\s+7b 22 72 69 73 61\s+\{"risa/);
  await page.locator('[data-action=replay]').click();
  assert.match(await page.locator('[data-testid=refused]').innerText(), /It stays: it still cannot be stored/);
  await page.locator('[data-action=discard]').click();
  await page.fill('dialog [name=reason]', 'written by a broken prototype');
  await page.getByRole('button', { name: 'Discard it' }).click();
  await page.getByText(/^Discarded, /).waitFor();
  assert.equal(await page.locator('[data-action=replay], [data-action=discard]').count(), 0, 'what is decided is decided');
  await page.getByRole('link', { name: 'All dead letters' }).click();
  await until('one to be left', async () => (await page.locator('#letters tbody tr').count()) === 1);
  await page.getByRole('button', { name: 'Discarded' }).click();
  await page.locator('#letters tbody tr').first().waitFor();
  assert.match(await hq.cli(['audit']), /maria  bytes_viewed[^\n]*looking for the fault[\s\S]*written by a broken prototype/);
  assert.deepEqual(page.broken, []);
  await page.context().close();
});

test('no role is shown a way that then fails', async () => {
  const site = edge.warehouse_id;
  const letter = (await hq.get('/api/v1/dead-letters?state=open')).dead_letters[0].id;
  for (const name of ['victor', 'maria']) {
    const page = await openPage(browser, hq.url);
    const refused = [];
    page.on('response', (response) => response.status() === 403 && refused.push(response.url()));
    await signedIn(page, name);
    for (const path of ['/', `/sites/${site}`, `/sites/${site}/settings`, '/alerts', '/silences', '/trends', `/trends?site=${site}`, '/completeness', `/completeness?site=${site}`, '/rules', `/rules/${site}`, '/dead-letters', `/dead-letters?letter=${letter}`]) {
      await page.goto(hq.url + path);
      await page.locator('main h1').waitFor();
      await page.waitForLoadState('networkidle');
      // Exports and what moves about the page may be had by all.
      const buttons = await page.locator('main').locator('[data-action], button.primary, button.danger, input:not([type=search]):not([type=range]):not(:disabled):not([readonly])').evaluateAll((all) => all.map((one) => one.outerHTML));
      if (name === 'victor') assert.deepEqual(buttons, [], path);
      for (const link of await page.locator('a[download]').evaluateAll((all) => all.map((one) => one.href))) assert.equal(await page.evaluate(async (file) => (await fetch(file)).status, link), 200, link);
    }
    assert.deepEqual(await page.locator('.top nav a').evaluateAll((all) => all.map((one) => new URL(one.href).pathname)), ['/', '/alerts', '/trends', '/completeness', '/rules', '/dead-letters'], name);
    await page.goto(`${hq.url}/dead-letters?letter=${letter}`);
    if (name === 'victor') await page.locator('section', { hasText: 'Raw bytes' }).getByText('Your role may not see this.').waitFor();
    else await page.locator('[data-action=bytes]').waitFor();
    if (name === 'maria') {
      await page.goto(`${hq.url}/rules/${site}`);
      await page.locator('[data-action=edit]').waitFor();
      await page.goto(`${hq.url}/sites/${site}/settings`);
      await page.locator('[data-testid=settings] form button').first().waitFor();
    }
    assert.deepEqual(refused, [], name);
    await page.context().close();
  }
});
