// What supervisors see and do, with several of them at once, and with the link cut.
import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { bend, calm, openPage, startBrowser, startEdge, startWire, state, until, waitState } from './harness.mjs';

let browser;
let edge;
let quiet;
before(async () => {
  [browser, edge] = await Promise.all([startBrowser(), startEdge()]);
  quiet = calm(edge);
});
// One test that fails must not leave the next one an alert.
const bent = [];
afterEach(() => bent.splice(0).forEach(({ stop }) => stop()));
after(async () => {
  quiet?.stop();
  await browser?.close();
  await edge?.stop();
});

const cards = (page, more = '') => page.locator(`[data-alert]${more}`);
const fine = async (page) => assert.deepEqual([...page.broken, ...(await page.evaluate(() => globalThis.policyBroken))], []);

/** One alert in `zone`, and its id. */
async function raised(page, zone, camera) {
  const known = new Set(await cards(page).evaluateAll((all) => all.map((one) => one.dataset.alert)));
  const bending = await bend(edge, { zone, camera, keep: true });
  bent.push(bending);
  const id = await until(`an alert in ${zone}`, async () =>
    (await cards(page, '[data-alert-state=raised]').evaluateAll((all) => all.map((one) => [one.dataset.alert, one.innerText])))
      .find(([own, text]) => !known.has(own) && text.includes(zone))?.[0]);
  return { id, ...bending };
}

test('an alert appears by itself, is acknowledged on another client, and survives a reload', async () => {
  const one = await openPage(browser, edge.url);
  const two = await openPage(browser, edge.url);
  await Promise.all([waitState(one, 'quiet'), waitState(two, 'quiet')]);
  const sent = Date.now();
  const { id, stop } = await raised(one, 'Picking', 'cam-01');
  assert.ok(Date.now() - sent < 3_000, `seen after ${Date.now() - sent} ms`);
  assert.equal(await state(one), 'alert');
  assert.match(await one.title(), /Alert.*Picking/);
  assert.match(await one.getAttribute('#icon', 'href'), /alert-/);
  assert.match(await one.locator('[data-testid=state]').innerText(), /Alert\s+Picking\s+1 person at risk[^]*0:\d\d/);
  const text = await cards(one, `[data-alert="${id}"]`).innerText();
  assert.match(text, /Picking cam-01/);
  assert.match(text, /Risk of 70 or more for at least 3 seconds/);
  assert.match(text, /Peak\s+\d\d/i);

  await cards(two, `[data-alert="${id}"]`).locator('[data-action=acknowledge]').click();
  const seen = cards(one, `[data-alert="${id}"][data-alert-state=acknowledged]`);
  await seen.waitFor();
  assert.match(await seen.innerText(), /floor sees to it since/);
  assert.equal(await one.locator('[data-testid=state] h1').innerText(), 'Being seen to');
  await one.reload();
  await seen.waitFor();
  assert.match(await seen.innerText(), /floor sees to it since/);
  stop();
  await waitState(one, 'quiet');
  await one.getByRole('button', { name: 'Over' }).click();
  await cards(one, `[data-alert="${id}"][data-alert-state=cleared]`).waitFor();
  assert.match(one.url(), /state=cleared/);
  await fine(one);
  await fine(two);
  await Promise.all([one.context().close(), two.context().close()]);
});

test('the detail shows the curve, the posture and what was done, with the note', async () => {
  const page = await openPage(browser, edge.url);
  await waitState(page, 'quiet');
  const { id, stop } = await raised(page, 'Receiving', 'cam-02');
  await cards(page, `[data-alert="${id}"]`).getByRole('link').click();
  assert.equal(new URL(page.url()).pathname, `/alerts/${id}`);
  const detail = page.locator('[data-testid=detail]');
  await detail.locator('canvas').waitFor();
  assert.ok(await detail.locator('canvas').evaluate((canvas) => new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer).some((pixel) => pixel !== 0)), 'the curve is drawn');
  assert.ok((await detail.locator('.curve tbody tr').count()) >= 10, 'and can be read');
  assert.ok((await detail.locator('.bone').count()) >= 12);
  await detail.locator('input').fill('Pallet jack is on its way');
  await detail.locator('[data-action=acknowledge]').click();
  await detail.locator('.facts li').first().waitFor();
  assert.match(await detail.locator('.facts').innerText(), /acknowledged by floor[^]*Pallet jack is on its way/);
  await page.reload();
  await detail.locator('.facts li').first().waitFor();
  stop();
  await fine(page);
  await page.context().close();
});

test('a silence is made with one thumb, keeps the alert visible, and can be ended', async () => {
  const page = await openPage(browser, edge.url, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await waitState(page, 'quiet');
  const { id, stop } = await raised(page, 'Racking', 'cam-03');
  await cards(page, `[data-alert="${id}"]`).locator('[data-action=silence]').tap();
  const sheet = page.locator('[data-testid=silence]');
  await sheet.getByText('1 hour').tap();
  await sheet.getByText('Training').tap();
  const button = sheet.locator('[data-action=silence-now]');
  const box = await button.boundingBox();
  assert.ok(box.height >= 56 && box.y + box.height <= 844, `within a thumb's reach: ${JSON.stringify(box)}`);
  await button.tap();
  await until('the silence to show on the alert', async () => /Silenced until .*: Training/.test(await cards(page, `[data-alert="${id}"]`).innerText()));
  await waitState(page, 'quiet');
  assert.match(await page.locator('[data-testid=state]').innerText(), /1 silenced alert goes on/);
  const silences = page.locator('[data-testid=silences]');
  await silences.getByRole('button', { name: 'End now' }).tap();
  await until('the silence to end', async () => (await silences.count()) === 0);
  await waitState(page, 'alert');
  stop();
  await fine(page);
  await page.context().close();
});

test('a wall says each sentence whole, and how many alerts it has no room for', async () => {
  const page = await openPage(browser, `${edge.url}/?wall&lang=de`, { viewport: { width: 1920, height: 1080 } });
  await waitState(page, 'quiet');
  const all = [];
  for (const [zone, camera] of [['Picking', 'cam-01'], ['Receiving', 'cam-02'], ['Racking', 'cam-03']]) all.push(await raised(page, zone, camera));
  /** How many cards are seen; each of them must be whole. */
  const seen = () => page.evaluate(() => {
    const end = document.querySelector('main').getBoundingClientRect().bottom;
    const shown = [...document.querySelectorAll('[data-alert]')].filter((one) => getComputedStyle(one).visibility === 'visible');
    const cut = shown.flatMap((one) => [...one.querySelectorAll('h3, .alert-why')].filter((text) => text.scrollWidth > text.clientWidth).concat(one.getBoundingClientRect().bottom > end ? one : []));
    return cut.length > 0 ? cut.map((one) => one.innerText) : shown.length;
  });
  await until('three whole cards', async () => (await seen()) === 3);
  const far = (selector) => page.locator(selector).first().evaluate((one) => parseFloat(getComputedStyle(one).fontSize));
  assert.ok(await far('.alert-why') >= 28 && await far('.sound') >= 36, 'to be read from afar');
  const glyph = await page.locator('.sound path').evaluate((one) => (({ x, y, width, height }) => ({ left: x, top: y, right: x + width, bottom: y + height }))(one.getBBox()));
  assert.ok(glyph.left >= 0 && glyph.top >= 0 && glyph.right <= 24 && glyph.bottom <= 24, `the speaker is inside of its box: ${JSON.stringify(glyph)}`);
  await page.setViewportSize({ width: 1920, height: 760 });
  await until('fewer cards', async () => (await seen()) < 3);
  assert.equal(Number((await page.locator('h2 .more').innerText()).replace(/\D/g, '')), 3 - await seen());
  for (const { stop } of all) stop();
  await fine(page);
  await page.context().close();
});

for (const [name, path] of [['the page', '/'], ['the kiosk', '/?kiosk']]) {
  test(`a cut link shows a banner on ${name}, heals by itself and catches up`, async () => {
    const wire = await startWire(edge.port);
    const page = await openPage(browser, wire.url + path);
    await waitState(page, 'quiet');
    wire.cut();
    await waitState(page, 'lost', 5_000);
    assert.match(await page.locator('[data-testid=state]').innerText(), /Connection lost\s+Since \d\d:\d\d:\d\d this screen does not know/);
    assert.match(await page.title(), /Connection lost/);
    assert.equal(await page.locator('[data-zone-state=quiet]').count(), 0, 'no zone looks quiet');
    const { stop } = await bend(edge, { zone: 'Picking', keep: true });
    bent.push({ stop });
    wire.heal();
    await waitState(page, 'alert');
    stop();
    await fine(page);
    await page.context().close();
    await wire.close();
  });
}

test('what is done while the link is cut is kept, shown as waiting, and sent when it heals', async () => {
  const wire = await startWire(edge.port);
  const [page, other] = await Promise.all([openPage(browser, wire.url), openPage(browser, edge.url)]);
  await waitState(page, 'quiet');
  const { id, stop } = await raised(page, 'Picking', 'cam-01');
  wire.cut();
  await waitState(page, 'lost');
  const card = cards(page, `[data-alert="${id}"]`);
  await card.locator('[data-action=acknowledge]').click();
  await card.getByText('Will be sent when the connection is back').waitFor();
  await page.waitForFunction(() => JSON.parse(localStorage.getItem('smartpick.actions')).length === 1);
  wire.heal();
  await cards(page, `[data-alert="${id}"][data-alert-state=acknowledged]`).waitFor();
  await cards(other, `[data-alert="${id}"][data-alert-state=acknowledged]`).waitFor();
  await page.waitForFunction(() => JSON.parse(localStorage.getItem('smartpick.actions')).length === 0);
  stop();
  await Promise.all([page.context().close(), other.context().close()]);
  await wire.close();
});

test('it sounds until somebody acknowledges, and says so when the browser blocks it', async () => {
  const page = await openPage(browser, edge.url);
  await waitState(page, 'quiet');
  const button = page.locator('[data-testid=sound]');
  assert.equal((await button.innerText()).trim(), 'Sound is blocked: tap to enable');
  const { id, stop } = await raised(page, 'Picking', 'cam-01');
  assert.equal(await page.evaluate(() => document.documentElement.dataset.sounding), 'false');
  await button.click();
  await page.waitForFunction(() => document.documentElement.dataset.sounding === 'true');
  assert.equal((await button.innerText()).trim(), 'Sound on');
  await cards(page, `[data-alert="${id}"]`).locator('[data-action=acknowledge]').click();
  await page.waitForFunction(() => document.documentElement.dataset.sounding === 'false');
  stop();
  await page.context().close();
});

test('hands on a keyboard: j, k, Enter, a, s, / and ?', async () => {
  const page = await openPage(browser, edge.url);
  await waitState(page, 'quiet');
  const first = await raised(page, 'Picking', 'cam-01');
  const second = await raised(page, 'Receiving', 'cam-02');
  const selected = () => page.locator('.card.selected').getAttribute('data-alert');
  const order = await cards(page).evaluateAll((all) => all.map((one) => one.dataset.alert));
  await page.keyboard.press('j');
  assert.equal(await selected(), order[0]);
  await page.keyboard.press('j');
  assert.equal(await selected(), order[1]);
  await page.keyboard.press('k');
  assert.equal(await selected(), order[0]);
  await page.keyboard.press('a');
  await cards(page, `[data-alert="${order[0]}"][data-alert-state=acknowledged]`).waitFor();
  await page.keyboard.press('Enter');
  await page.locator('[data-testid=detail] h2').waitFor();
  assert.ok(page.url().endsWith(`/alerts/${order[0]}`));
  await page.keyboard.press('Escape');
  assert.equal(new URL(page.url()).pathname, '/');
  await page.keyboard.press('s');
  await page.locator('[data-testid=silence]').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('[data-testid=silence]').waitFor({ state: 'detached' });
  await page.keyboard.press('?');
  await page.locator('[data-testid=help]').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('[data-testid=help]').waitFor({ state: 'detached' });
  await page.keyboard.press('/');
  await page.keyboard.type('nowhere');
  await until('the search to narrow the list', async () => (await cards(page).count()) === 0);
  assert.match(page.url(), /q=nowhere/);
  await page.reload();
  assert.equal(await page.inputValue('#search'), 'nowhere', 'the filter is in the URL');
  await page.getByRole('button', { name: 'Show all open alerts' }).click();
  await cards(page, `[data-alert="${second.id}"]`).waitFor();
  first.stop();
  second.stop();
  await page.context().close();
});

test('the shift is summed up, as a table, as CSV and on paper', async () => {
  const page = await openPage(browser, `${edge.url}/shift`);
  const shift = page.locator('[data-testid=shift]');
  await shift.locator('tbody tr').first().waitFor();
  await shift.getByText('Leipzig · All day').waitFor();
  await shift.getByRole('rowheader', { name: 'Picking' }).waitFor();
  const csv = await page.evaluate(async () => (await fetch(document.querySelector('a[download]').href)).text());
  assert.match(csv, /Picking/);
  await page.emulateMedia({ media: 'print' });
  assert.equal(await page.locator('[data-testid=state]').isVisible(), false);
  assert.equal(await shift.locator('table').first().isVisible(), true);
  await fine(page);
  await page.context().close();
});

test('a screen loads itself anew after an upgrade', async () => {
  const page = await openPage(browser, edge.url);
  await waitState(page, 'quiet');
  // The next edge has another page: what an upgrade changes is the index's tag.
  await page.route((url) => url.pathname === '/', async (route) => {
    if (route.request().method() !== 'HEAD') return route.continue();
    await route.fulfill({ headers: { etag: '"another"' } });
  });
  await page.evaluate(() => (globalThis.old = true));
  await edge.kill();
  await waitState(page, 'lost');
  await edge.start();
  await page.waitForFunction(() => globalThis.old === undefined, null, { timeout: 20_000 });
  await waitState(page, 'quiet');
  await page.context().close();
});
