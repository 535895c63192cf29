// Who gets into headquarters, with the real one: nothing is shown before somebody signs in, and each role has its own.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { axe, openPage, startBrowser, until } from './harness.mjs';
import { PASSWORD, signedIn, signIn, startHeadquarters } from './hq.mjs';

let browser;
let hq;
before(async () => {
  [browser, hq] = await Promise.all([startBrowser(), startHeadquarters()]);
});
after(async () => {
  await browser?.close();
  await hq?.stop();
});

// The order matters: accounts are made as the tests go on.
test('without any account the page names the command that makes the first', async () => {
  const page = await openPage(browser, `${hq.url}/alerts?state=cleared`);
  await page.locator('[data-testid=no-accounts]').waitFor();
  assert.equal(await page.locator('.command code').innerText(), 'smartpick-central users add NAME --role administrator');
  assert.deepEqual(await axe(page), []);
  await hq.addUser('ada', 'administrator');
  await until('the sign-in form', async () => {
    await page.getByRole('button', { name: 'Try again' }).click({ timeout: 1_000 }).catch(() => {});
    return page.locator('[data-testid=login]').isVisible();
  });
  assert.deepEqual(await axe(page), []);
  await signIn(page, 'ada', 'not the password at all');
  await page.getByText('That name and password do not fit.').waitFor();
  await signedIn(page, 'ada');
  await page.getByRole('heading', { name: /^Alerts/, level: 1 }).waitFor();
  assert.equal(page.url(), `${hq.url}/alerts?state=cleared`, 'what was asked for before signing in is shown after it');
  assert.deepEqual(page.broken, []);
  await page.context().close();
});

test('a fleet without sites names the next command, and an administrator gets to users', async () => {
  const page = await openPage(browser, hq.url);
  await signedIn(page, 'ada');
  assert.match(await page.locator('[data-testid=empty] code').innerText(), /^smartpick-central edges add --warehouse UUID/);
  await page.locator('.top nav').getByRole('link', { name: 'Users' }).click();
  await page.getByRole('heading', { level: 1, name: 'Users' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Users' }).waitFor();
  await page.locator('[data-testid=account] summary').click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.locator('[data-testid=login]').waitFor();
  await page.reload();
  await page.locator('[data-testid=login]').waitFor();
  await page.context().close();
});

test('a viewer sees no way to what is refused, and the server does refuse it', async () => {
  await hq.addUser('victor', 'viewer');
  const page = await openPage(browser, hq.url);
  await signedIn(page, 'victor');
  assert.equal(await page.locator('.top nav').getByRole('link', { name: 'Audit' }).count(), 0);
  assert.equal(await page.evaluate(async () => (await fetch('/api/v1/users')).status), 403);
  await page.goto(`${hq.url}/audit`);
  await page.getByText('Your role may not see this.').waitFor();
  await page.context().close();
});

test('a password is changed by whoever knows the old one', async () => {
  await hq.addUser('nina', 'viewer');
  const page = await openPage(browser, hq.url);
  await signedIn(page, 'nina');
  await page.locator('[data-testid=account] summary').click();
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.fill('dialog [name=old]', 'not that one, I am sure');
  await page.fill('dialog [name=new]', 'seven green forklifts at noon');
  await page.locator('dialog button.primary').click();
  await page.getByText('that is not the password').waitFor();
  await page.fill('dialog [name=old]', PASSWORD);
  await page.locator('dialog button.primary').click();
  await page.getByText('The password is changed').waitFor();
  await page.context().close();
  const again = await openPage(browser, hq.url);
  await signIn(again, 'nina', 'seven green forklifts at noon');
  await again.locator('[data-testid=live]').waitFor();
  await again.context().close();
});

test('who is removed while looking is asked to sign in again', async () => {
  await hq.addUser('paula', 'viewer');
  const page = await openPage(browser, hq.url);
  await signedIn(page, 'paula');
  await hq.cli(['users', 'remove', 'paula']);
  await page.locator('[data-testid=login]').waitFor({ timeout: 40_000 });
  await page.context().close();
});

test('no request leaves the origin, and every view is the page', async () => {
  const index = await (await fetch(hq.url)).text();
  for (const path of ['/sites/x', '/sites/x/zones/y', '/sites/x/cameras/y', '/alerts', '/alerts/x', '/silences', '/trends', '/completeness', '/dead-letters', '/rules', '/rules/x', '/users', '/audit']) {
    const response = await fetch(hq.url + path);
    assert.equal(await response.text(), index, path);
    assert.match(response.headers.get('content-security-policy'), /default-src 'self'/);
  }
  for (const path of ['/nothing', '/assets/nothing.js', '/sites', '/sites/x/zones']) assert.equal((await fetch(hq.url + path)).status, 404, path);
  const page = await openPage(browser, hq.url);
  await signedIn(page, 'ada');
  for (const path of ['/', '/alerts', '/silences', '/dead-letters', '/audit']) {
    await page.goto(hq.url + path);
    await page.locator('[data-phase=up], [data-phase=polled]').first().waitFor();
  }
  assert.ok(page.asked.some((url) => url.startsWith('ws:')), 'it did ask');
  assert.deepEqual([...page.broken, ...(await page.evaluate(() => globalThis.policyBroken))], []);
  await page.context().close();
});
