// Who sees what: nobody without signing in, viewers without buttons, kiosks by their token.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { axe, bend, calm, openPage, PASSWORD, startBrowser, startEdge, until, waitState } from './harness.mjs';

let browser;
let edge;
let quiet;
let bending;
let kiosk;
before(async () => {
  [browser, edge] = await Promise.all([startBrowser(), startEdge()]);
  await edge.cli(['users', 'add', 'maria', '--role', 'supervisor', '--password-stdin'], `${PASSWORD}\n`);
  await edge.cli(['users', 'add', 'victor', '--role', 'viewer', '--password-stdin'], `${PASSWORD}\n`);
  kiosk = JSON.parse(await edge.cli(['kiosk', 'add', 'gate-3', '--url', edge.url, '--json']));
  await until('the edge to want an account', async () => (await fetch(`${edge.url}/api/v1/site`)).status === 401);
  quiet = calm(edge);
  bending = await bend(edge, { keep: true });
});
after(async () => {
  quiet?.stop();
  bending?.stop();
  await browser?.close();
  await edge?.stop();
});

async function signIn(page, name, password = PASSWORD) {
  await page.fill('[name=name]', name);
  await page.fill('[name=password]', password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

test('nothing of the floor is shown before somebody signs in', async () => {
  const page = await openPage(browser, edge.url);
  await page.locator('[data-testid=login]').waitFor();
  assert.equal(await page.locator('[data-testid=state]').count(), 0);
  assert.deepEqual(await axe(page), []);
  await signIn(page, 'maria', 'not the password at all');
  await page.getByText('That name and password do not fit.').waitFor();
  await signIn(page, 'maria');
  await waitState(page, 'alert');
  await page.locator('[data-action=acknowledge]').first().click();
  await page.locator('[data-alert-state=acknowledged]').waitFor();
  assert.match(await page.locator('[data-alert]').innerText(), /maria sees to it/);
  await page.reload();
  await waitState(page, 'alert');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.locator('[data-testid=login]').waitFor();
  await page.reload();
  await page.locator('[data-testid=login]').waitFor();
  assert.deepEqual(page.broken, []);
  await page.context().close();
});

test('a viewer sees all and has no buttons to act with', async () => {
  const page = await openPage(browser, edge.url);
  await signIn(page, 'victor');
  await page.locator('[data-alert]').first().waitFor();
  assert.equal(await page.locator('[data-action]').count(), 0);
  await page.locator('[data-alert] h3 a').first().click();
  await page.locator('[data-testid=detail] canvas').waitFor();
  assert.equal(await page.locator('[data-action]').count(), 0);
  await page.keyboard.press('s');
  // The next key is heard after it: had it opened something, that would be there by now.
  await page.keyboard.press('?');
  await page.locator('[data-testid=help]').waitFor();
  assert.equal(await page.locator('[data-testid=silence]').count(), 0);
  await page.keyboard.press('Escape');
  await page.getByText('You may look, not act.').waitFor();
  await page.context().close();
});

test('a kiosk opens by its token, wipes it from the address bar, and may only look', async () => {
  assert.match(kiosk.url, /\?kiosk#token=/);
  const page = await openPage(browser, kiosk.url, { viewport: { width: 1920, height: 1080 } });
  await page.locator('[data-alert]').first().waitFor();
  assert.equal(page.url(), `${edge.url}/?kiosk`);
  assert.equal(await page.locator('[data-action], nav, form').count(), 0);
  assert.ok(page.asked.every((url) => !url.includes(kiosk.token)), 'the token is in no URL that is asked');
  // At five metres a letter should be five centimetres: 60 px of a 43-inch screen.
  assert.ok(await page.locator('h1').evaluate((one) => parseFloat(getComputedStyle(one).fontSize) >= 100));
  await page.reload();
  await waitState(page, 'alert');
  assert.deepEqual(page.broken, []);
  await page.context().close();
});

test('a kiosk with a token that is worth nothing says how to get one', async () => {
  const page = await openPage(browser, `${edge.url}/?kiosk#token=nonsense`);
  await page.locator('.command', { hasText: 'smartpick-edge kiosk add' }).waitFor();
  assert.ok(!page.url().includes('nonsense'));
  await page.context().close();
});

test('who is signed out while looking is asked to sign in again', async () => {
  await edge.cli(['users', 'add', 'paula', '--role', 'viewer', '--password-stdin'], `${PASSWORD}\n`);
  const page = await openPage(browser, edge.url);
  await signIn(page, 'paula');
  await waitState(page, 'alert');
  await edge.cli(['users', 'remove', 'paula']);
  await page.locator('[data-testid=login]').waitFor({ timeout: 30_000 });
  await page.context().close();
});
