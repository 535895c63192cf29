// What administrators and safety managers do, against a real headquarters: accounts, tokens, the audit.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { axe, openPage, startBrowser, until } from './harness.mjs';
import { PASSWORD, signedIn, signIn, startHeadquarters } from './hq.mjs';

let browser;
let hq;
before(async () => {
  [browser, hq] = await Promise.all([startBrowser(), startHeadquarters({ accounts: { ada: 'administrator', sam: 'safety-manager' } })]);
});
after(async () => {
  await browser?.close();
  await hq?.stop();
});

async function opened(path, name) {
  const page = await openPage(browser, hq.url + path);
  await signedIn(page, name);
  return page;
}
const row = (page, name) => page.locator(`[data-row="${name}"]`);
const told = (page, words) => page.locator('[data-testid=toast]', { hasText: words }).first().waitFor();

test('an account is made, signs in, gets another role and password, and goes', async () => {
  const page = await opened('/users', 'ada');
  await page.locator('[data-action=add-user]').click();
  await page.fill('[name=new-name]', 'nora');
  await page.fill('[name=new-password]', 'short');
  await page.locator('dialog [data-action=do]').click();
  await page.locator('dialog [data-testid=refused]').waitFor();
  assert.match(await page.locator('dialog [data-testid=refused]').innerText(), /10/, 'the server says what is missing');
  await page.fill('[name=new-password]', PASSWORD);
  await page.locator('dialog [data-action=do]').click();
  await told(page, 'nora may sign in now.');
  await row(page, 'nora').getByText('Viewer').waitFor();

  const other = await openPage(browser, `${hq.url}/rules`);
  await signedIn(other, 'nora');
  assert.equal(await other.locator('.top nav').getByRole('link', { name: 'Users' }).count(), 0);

  await row(page, 'nora').getByRole('button', { name: 'Role of nora' }).click();
  await page.locator('dialog').getByText('Administrator', { exact: true }).click();
  await page.locator('dialog [data-action=do]').click();
  await row(page, 'nora').getByText('Administrator').waitFor();
  await other.reload();
  await other.locator('.top nav').getByRole('link', { name: 'Users' }).waitFor();

  await row(page, 'nora').getByRole('button', { name: 'New password for nora' }).click();
  await page.fill('[name=new-password]', `${PASSWORD} again`);
  await page.locator('dialog [data-action=do]').click();
  await told(page, 'nora has a new password.');
  await other.reload();
  await signIn(other, 'nora', `${PASSWORD} again`);
  await other.locator('.top nav').getByRole('link', { name: 'Users' }).waitFor();

  await row(page, 'nora').getByRole('button', { name: 'Remove nora?' }).click();
  await page.locator('dialog [data-action=do]').click();
  await row(page, 'nora').waitFor({ state: 'detached' });
  await other.reload();
  await other.locator('[data-testid=login]').waitFor();
  assert.deepEqual([...page.broken, ...other.broken], []);
  await Promise.all([page.context().close(), other.context().close()]);
});

test('the last administrator stays, and the page says why', async () => {
  const page = await opened('/users', 'ada');
  await row(page, 'ada').getByRole('button', { name: 'Remove ada?' }).click();
  await page.locator('dialog [data-action=do]').click();
  await page.locator('dialog [data-testid=refused]', { hasText: 'this is the last administrator' }).waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  await row(page, 'ada').waitFor();
  await page.context().close();
});

test('a token works until it is revoked, and is shown once', async () => {
  const page = await opened('/users', 'ada');
  await page.locator('[data-action=add-token]').click();
  await page.fill('[name=token-name]', 'scada');
  await page.locator('dialog [data-action=do]').click();
  const token = await page.locator('[data-testid=token-made] .command code').innerText();
  assert.deepEqual(await axe(page), []);
  const asks = async (path) => (await fetch(hq.url + path, { headers: { authorization: `Bearer ${token}` } })).status;
  assert.equal(await asks('/api/v1/fleet/health'), 200);
  assert.equal(await asks('/api/v1/users'), 403, 'it may read, no more');
  await page.getByRole('button', { name: 'I have kept it' }).click();
  await page.reload();
  await row(page, 'scada').waitFor();
  assert.equal(await page.getByText(token).count(), 0);
  await row(page, 'scada').getByRole('button', { name: 'Revoke scada?' }).click();
  await page.locator('dialog [data-action=do]').click();
  await row(page, 'scada').getByText('revoked').waitFor();
  assert.equal(await asks('/api/v1/fleet/health'), 401);
  await page.context().close();
});

test('the audit tells what was done here, narrows, and is filed', async () => {
  const page = await opened('/audit', 'ada');
  const rows = page.locator('#audit tbody tr');
  await rows.first().waitFor();
  const text = await page.locator('#audit').innerText();
  for (const what of ['user nora', 'token scada']) assert.ok(text.includes(what), `${what} in\n${text}`);
  assert.ok(!text.includes(PASSWORD), 'no secret is in it');
  await page.locator('[data-filter=subject]').fill('token scada');
  await page.keyboard.press('Enter');
  await until('only what was done to the token', async () => {
    const all = await rows.allInnerTexts();
    return all.length > 0 && all.every((one) => one.includes('token scada')) && all.length;
  });
  const link = await page.getByRole('link', { name: 'CSV' }).getAttribute('href');
  const file = await page.evaluate(async (path) => {
    const response = await fetch(path);
    return { type: response.headers.get('content-type'), text: await response.text() };
  }, link);
  assert.match(file.type, /text\/csv/);
  assert.equal(file.text.trim().split('\n').length, 1 + await rows.count(), 'the same lines, and their heads');
  await page.locator('[data-filter=subject]').fill('nobody has this');
  await page.keyboard.press('Enter');
  await page.locator('[data-testid=empty]', { hasText: 'Nothing fits this filter.' }).waitFor();
  await page.context().close();
});

test('a safety manager is told who may see accounts', async () => {
  const page = await opened('/users', 'sam');
  await page.locator('[data-testid=empty]', { hasText: 'smartpick-central users role sam administrator' }).waitFor();
  assert.equal(await page.evaluate(async () => (await fetch('/api/v1/audit')).status), 403);
  await page.context().close();
});
