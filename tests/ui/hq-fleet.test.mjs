// The fleet and its sites as the real headquarters sees them: two edges, real cameras' events, real silence.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { axe, openPage, startBrowser, until } from './harness.mjs';
import { calm, signedIn, startHeadquarters, ZONES } from './hq.mjs';

let browser;
let hq;
let quiet;
before(async () => {
  [browser, hq] = await Promise.all([startBrowser(), startHeadquarters({ edges: 2, accounts: { maria: 'safety-manager' } })]);
  quiet = calm(hq.edges[0]);
});
after(async () => {
  quiet?.stop();
  await browser?.close();
  await hq?.stop();
});

const row = (page, edge) => page.locator(`[data-row="${edge.warehouse_id}"]`);

test('a site that sends is healthy and fresh, one that never sent says so', async () => {
  const page = await openPage(browser, hq.url);
  await signedIn(page, 'maria');
  const [north, south] = hq.edges;
  await until('the first site to be heard', async () => /Healthy[\s\S]*(now|seconds ago)/.test(await row(page, north).innerText()), 60_000);
  assert.match(await row(page, south).innerText(), /never/, 'no data is not fine');
  assert.match(await page.locator('[data-testid=counted]').innerText(), /2 sites/);
  assert.deepEqual(page.broken, []);
  await page.context().close();
});

test('from the fleet to a site, a zone and a camera, each at an address of its own', async () => {
  const page = await openPage(browser, hq.url);
  await signedIn(page, 'maria');
  const [north] = hq.edges;
  await row(page, north).getByRole('link').first().click();
  await page.locator('#zones tbody tr').first().waitFor({ timeout: 40_000 });
  assert.equal(page.url(), `${hq.url}/sites/${north.warehouse_id}`);
  await page.locator('[data-testid=strip] rect.healthy').first().waitFor({ timeout: 40_000 });
  assert.equal(await page.locator('#edges tbody tr').count(), 1);
  assert.deepEqual(await axe(page), []);
  await page.locator('#zones tbody a').first().click();
  await page.locator('#cameras tbody tr').first().waitFor();
  assert.ok(Object.values(ZONES).some((zone) => page.url() === `${hq.url}/sites/${north.warehouse_id}/zones/${zone}`), page.url());
  await page.locator('#cameras tbody a').first().click();
  await page.locator('[data-camera-state=healthy]').waitFor();
  const here = page.url();
  await page.reload();
  await page.locator('[data-camera-state=healthy]').waitFor();
  assert.equal(page.url(), here);
  await page.goBack();
  await page.locator('#cameras tbody tr').first().waitFor();
  assert.deepEqual(page.broken, []);
  await page.context().close();
});

test('an address of nothing says what to do', async () => {
  const page = await openPage(browser, `${hq.url}/sites/00000000-0000-4000-8000-000000000001`);
  await signedIn(page, 'maria');
  await page.getByText('This site is not known here.').waitFor();
  assert.match(await page.locator('.command code').innerText(), /edges add --warehouse 00000000-0000-4000-8000-000000000001/);
  await page.context().close();
});

test('an edge that dies is told within a minute, with its last picture kept', async () => {
  const page = await openPage(browser, hq.url);
  await signedIn(page, 'maria');
  const [north] = hq.edges;
  // Held, not killed: the stack would start it again.
  process.kill(north.pid, 'SIGSTOP');
  try {
    await until('the site to be stale', async () => /Stale|Offline/.test(await row(page, north).innerText()), 90_000);
    assert.match(await row(page, north).innerText(), /last heartbeat/);
    assert.deepEqual((await page.locator('#sites tbody tr').first().getAttribute('data-row')), north.warehouse_id, 'the worst is on top');
    await row(page, north).getByRole('link').first().click();
    await page.locator('#zones tbody tr').first().waitFor();
    assert.match(await page.locator('[data-testid=reasons]').innerText(), /last heartbeat/);
  } finally {
    process.kill(north.pid, 'SIGCONT');
  }
  await page.goto(hq.url);
  await until('the site to be back', async () => /Healthy|Degraded/.test(await row(page, north).innerText()), 60_000);
  await page.context().close();
});
