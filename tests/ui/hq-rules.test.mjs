// Rules and settings of a site, users and tokens, made of answers that a test chooses: what is refused is said where it is meant,
// and nobody is offered what would be refused. The same against a real headquarters is in hq-manage.test.mjs.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { axe, startBrowser, until } from './harness.mjs';
import { ago, fake, fleet, uuid, ZONES } from './hq-fake.mjs';

let browser;
before(async () => (browser = await startBrowser()));
after(() => browser?.close());

const SITE = uuid(1);
const RULE = { name: 'sustained-risk', threshold: 70, clear_below: 70, for: '3s', gap: '500ms', cooldown: '0s', severity: 'warning', scope: 'worker', zones: [], sources: ['camera', 'wearable'], confidence_min: 0 };
const DEEP = { ...RULE, name: 'deep-bend', threshold: 85, severity: 'critical', zones: [ZONES[0].zone_id] };
const version = (number, rules, change = {}) => ({ version: number, rules, note: '', made_at: ago(3600 * number), made_by: 'maria', ...change });
const edge = (index, state, change = {}) => ({ edge_id: uuid(700_000 + index), name: `north ${index}`, applied_version: 2, reported_at: ago(4), error: null, state, ...change });

function site(change = {}) {
  const rules = { current: version(2, [RULE, DEEP], { note: 'dock 3 <b>joined</b>' }), edges: [edge(1, 'applied'), edge(2, 'waiting'), edge(3, 'refused', { error: 'no room for it' })], default_rules: [RULE], ...change };
  return {
    [`GET /api/v1/sites/${SITE}/rules`]: () => rules,
    [`GET /api/v1/sites/${SITE}/rules/versions`]: () => ({ versions: [rules.current, version(1, [{ ...RULE, threshold: 60 }])].filter(Boolean), next: null }),
    'GET /api/v1/rules': () => ({ sites: [{ warehouse_id: SITE, name: 'Leipzig', version: 2, has_rules: true, alerts_off: false, made_at: ago(60), made_by: 'maria', applied: 1, waiting: 1, refused: 1, own: 0 }, { warehouse_id: uuid(3), name: 'Zaragoza', version: 4, has_rules: false, alerts_off: false, made_at: ago(90), made_by: 'maria', applied: 0, waiting: 0, refused: 0, own: 2 }, { warehouse_id: uuid(7), name: 'Lyon', version: 5, has_rules: true, alerts_off: true, made_at: ago(30), made_by: 'maria', applied: 1, waiting: 0, refused: 0, own: 0 }] }),
  };
}

const SHIFTS = [{ name: 'early', days: ['mon', 'tue', 'wed', 'thu', 'fri'], start: '06:00', end: '14:00' }];
const settings = () => ({
  name: 'Leipzig', name_reported: 'Leipzig', name_set: null, time_zone: 'Europe/Berlin', time_zone_reported: 'Europe/Berlin', time_zone_set: null, shifts: SHIFTS, shifts_reported: SHIFTS, shifts_set: null,
  zones: ZONES.map((zone) => ({ ...zone, name_reported: zone.name, name_set: null })), cameras: [{ camera_id: 'dock-1', zone_id: ZONES[0].zone_id, name: null, name_reported: null, name_set: null }],
});
const users = () => ({ users: [{ name: 'maria', role: 'administrator', created_at: ago(9e6), last_used_at: ago(60) }, { name: 'victor', role: 'viewer', created_at: ago(9e5), last_used_at: null }] });
const tokens = () => ({ tokens: [{ name: 'grafana', scopes: ['read'], created_at: ago(9e6), last_used_at: null, revoked_at: null }, { name: 'old', scopes: ['read', 'act'], created_at: ago(9e6), last_used_at: null, revoked_at: ago(60) }] });
const audit = ({ query }) => ({
  entries: [{ id: query.cursor ? 1 : 2, at: ago(60), actor: 'maria', action: 'set_rules', subject: `site ${SITE}`, detail: 'version 2: sustained-risk' }], next: query.cursor ? null : 2,
});
const open = (path, { answers = {}, ...more } = {}) =>
  fake(browser, { path, answers: { ...site(), [`GET /api/v1/sites/${SITE}/settings`]: settings, 'GET /api/v1/users': users, 'GET /api/v1/tokens': tokens, 'GET /api/v1/audit': audit, ...answers }, ...more });

test('which rules hold, who made them, and how far each edge is', async () => {
  const { page, close } = await open('/rules');
  const rows = page.locator('#sites tbody tr');
  await rows.first().waitFor();
  assert.match(await rows.nth(0).innerText(), /Leipzig\s+Version 2\s+made by maria[^]*1 refused[^]*1 waiting[^]*1 applied/);
  assert.match(await rows.nth(1).innerText(), /Zaragoza\s+each edge’s own configuration\s+2 by its own/);
  assert.match(await rows.nth(2).innerText(), /Lyon\s+Version 5[^]*nothing raises an alert about people/, 'applied, and yet not well');
  await page.getByRole('link', { name: 'Leipzig' }).click();
  await page.locator('[data-testid=in-force]').waitFor();
  assert.match(await page.locator('[data-testid=in-force]').innerText(), /In force: Version 2[^]*dock 3 <b>joined<\/b>[^]*deep-bend Critical Risk of 85 or more for at least 3s, only in Picking/, 'texts are shown as they are');
  assert.match(await page.locator('#edges').innerText(), /north 3\s+refused\s+no room for it/);
  assert.match(await page.locator('[data-version="2"]').innerText(), /\+ deep-bend new[^]*/);
  assert.match(await page.locator('[data-version="2"]').innerText(), /Threshold: 60 → 70/);
  assert.deepEqual(page.broken, []);
  await close();
});

test('the page of a site whose rule set is empty says so first', async () => {
  const sites = fleet().map((one) => ({ ...one, alerts_off: one.name === 'Lyon' }));
  const { page, close } = await open(`/sites/${uuid(7)}`, { sites });
  assert.match(await page.locator('[data-testid=alerts-off]').innerText(), /nothing raises an alert about people/);
  await page.goto(new URL(`/sites/${uuid(3)}`, page.url()).href);
  await page.locator('#zones').waitFor();
  assert.equal(await page.locator('[data-testid=alerts-off]').count(), 0);
  await close();
});

test('the server’s judgement stands at the field it means, and what is written is kept', async () => {
  const { page, world, close } = await open(`/rules/${SITE}`, {
    answers: { [`POST /api/v1/sites/${SITE}/rules/check`]: { status: 422, body: { code: 'rules_invalid', message: 'rules: rule 2 "deep-bend": threshold: 140 is not a score above 0 and up to 100, for example 70' } } },
  });
  await page.locator('[data-action=edit]').click();
  const threshold = page.locator('[data-field=threshold]').nth(1);
  assert.equal(await page.locator('[data-action=publish]').isDisabled(), true, 'nothing differs yet');
  await threshold.fill('140');
  assert.match(await page.locator('[data-testid=diff]').first().innerText(), /~ deep-bend changed\s+Threshold: 85 → 140/);
  await page.locator('[data-action=check]').click();
  await until('the mark', async () => (await threshold.getAttribute('aria-invalid')) === 'true');
  assert.equal(await page.locator('[aria-invalid=true]').count(), 1);
  const words = await threshold.evaluate((one) => one.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id).innerText).join(' '));
  assert.match(words, /140 is not a score above 0 and up to 100, for example 70/);
  await until('the focus there', () => threshold.evaluate((one) => one === document.activeElement));
  assert.deepEqual(await axe(page), []);
  assert.equal(world.asked.at(-1).body.rules[1].threshold, 140, 'a number');
  await threshold.fill('90');
  assert.equal(await page.locator('[aria-invalid=true]').count(), 0, 'it may be right now');
  await close();
});

test('a version made elsewhere meanwhile does not take what was written', async () => {
  let newest = version(2, [RULE]);
  const { page, world, close } = await open(`/rules/${SITE}`, {
    answers: {
      [`GET /api/v1/sites/${SITE}/rules`]: () => ({ current: newest, edges: [], default_rules: [RULE] }),
      [`POST /api/v1/sites/${SITE}/rules`]: ({ body }) => (body.base_version === 3 ? { status: 201, body: { version: 4 } } : ((newest = version(3, [{ ...RULE, threshold: 75 }])), { status: 409, body: { code: 'version_conflict', message: 'x' } })),
    },
  });
  await page.locator('[data-action=edit]').click();
  await page.locator('[data-field=threshold]').fill('80,5');
  await page.locator('[data-field=cooldown]').fill('30');
  await page.locator('[data-action=publish]').click();
  await page.getByText('Somebody else has made a version meanwhile').waitFor();
  await page.getByText('In force: Version 3').waitFor();
  assert.equal(await page.locator('[data-field=threshold]').inputValue(), '80,5');
  assert.match(await page.locator('[data-testid=diff]').first().innerText(), /Threshold: 75 → 80\.5/, 'against the new one');
  await page.locator('[data-action=publish]').click();
  await page.getByText('Version 4 is made').waitFor();
  const { body } = world.asked.filter(({ method }) => method === 'POST').at(-1);
  assert.deepEqual(body, { rules: [{ ...RULE, threshold: 80.5, cooldown: '30s' }], note: '', base_version: 3 });
  assert.equal(await page.locator('[data-testid=rule-editor]').count(), 0);
  await close();
});

test('a viewer sees rules and settings, and nothing to change them with', async () => {
  const { page, close } = await open(`/rules/${SITE}`, { scopes: ['read'], role: 'viewer' });
  await page.locator('[data-testid=in-force]').waitFor();
  assert.equal(await page.locator('[data-action], [data-testid=site-rules] form').count(), 0);
  await page.getByText('Safety managers and administrators may change the rules').waitFor();
  await page.getByRole('link', { name: 'Settings of the site' }).click();
  await page.locator('[data-testid=settings] form').waitFor();
  assert.equal(await page.locator('[data-testid=settings] input:not(:disabled), [data-testid=settings] form button').count(), 0);
  assert.equal(await page.locator('.top nav').getByRole('link', { name: 'Users' }).count(), 0);
  for (const path of ['/users', '/audit']) {
    await page.goto(new URL(path, page.url()).href);
    await page.locator('[data-testid=empty]').waitFor();
    assert.match(await page.locator('[data-testid=empty]').innerText(), /Your role may not see this[^]*users role maria administrator/);
  }
  await close();
});

test('of settings only what was changed is sent', async () => {
  const { page, world, close } = await open(`/sites/${SITE}/settings`, {
    answers: { [`PUT /api/v1/sites/${SITE}/settings`]: { status: 422, body: { code: 'settings_invalid', message: 'time_zone: "Berlin" is no time zone, for example "Europe/Berlin"' } } },
  });
  const save = page.locator('[data-action=save]');
  await save.waitFor();
  assert.equal(await save.isDisabled(), true);
  await page.locator('[data-field=time_zone]').fill('Berlin');
  await page.locator(`[data-name="${ZONES[0].zone_id}"]`).fill('Dock');
  await save.click();
  await page.locator('[data-testid=refused]').waitFor();
  assert.match(await page.locator('[data-testid=refused]').innerText(), /is no time zone/);
  assert.deepEqual(world.asked.at(-1).body, { time_zone: 'Berlin', zones: { [ZONES[0].zone_id]: 'Dock' } });
  assert.equal(await page.locator('[data-field=time_zone]').inputValue(), 'Berlin', 'what was typed is kept');
  await close();
});

test('settings that somebody else changed meanwhile are not undone, and what was typed is kept', async () => {
  let now = { ...settings(), revision: 'r1' };
  const theirs = { ...now, name: 'Halle 7', name_set: 'Halle 7', time_zone: 'Europe/Warsaw', time_zone_set: 'Europe/Warsaw', revision: 'r2' };
  const { page, world, close } = await open(`/sites/${SITE}/settings`, {
    answers: {
      [`GET /api/v1/sites/${SITE}/settings`]: () => now,
      [`PUT /api/v1/sites/${SITE}/settings`]: ({ body }) => (body.revision === 'r2' ? { ...theirs, name: body.name, name_set: body.name, revision: 'r3' } : ((now = theirs), { status: 409, body: { code: 'version_conflict', message: 'x' } })),
    },
  });
  const name = page.locator('[data-field=name]');
  await name.fill('Leipzig 1');
  await page.locator('[data-action=save]').click();
  await page.locator('[data-testid=conflict]', { hasText: 'Somebody else has changed the settings meanwhile' }).waitFor();
  assert.deepEqual(world.asked.at(-1).body, { name: 'Leipzig 1', revision: 'r1' });
  assert.equal(await name.inputValue(), 'Leipzig 1');
  assert.deepEqual(await axe(page), []);
  await page.locator('[data-action=load-present]').click();
  await page.locator('[data-testid=present]', { hasText: 'Name: now “Halle 7”' }).waitFor();
  assert.equal(await page.locator('[data-testid=conflict]').count(), 0);
  assert.deepEqual([await name.inputValue(), await page.locator('[data-field=time_zone]').inputValue()], ['Leipzig 1', 'Europe/Warsaw'], 'theirs beside what was typed');
  assert.deepEqual(await axe(page), []);
  await page.locator('[data-action=save]').click();
  await page.getByRole('heading', { level: 1, name: 'Settings: Leipzig 1' }).waitFor();
  assert.deepEqual(world.asked.filter(({ method }) => method === 'PUT').at(-1).body, { name: 'Leipzig 1', revision: 'r2' });
  await name.fill('Leipzig 2');
  await page.locator('[data-action=save]').click();
  await until('the answer’s revision', () => world.asked.filter(({ method }) => method === 'PUT').at(-1).body.revision === 'r3');
  await close();
});

test('a token is shown once, and the last administrator stays with the server’s words', async () => {
  const { page, close } = await open('/users', {
    role: 'administrator',
    answers: {
      'POST /api/v1/tokens': ({ body }) => ({ status: 201, body: { name: body.name, token: `secret-of-${body.name}-${body.scopes.join('+')}` } }),
      'DELETE /api/v1/users/maria': { status: 409, body: { code: 'last_administrator', message: 'this is the last administrator; make another one first' } },
    },
  });
  await page.locator('[data-action=add-token]').click();
  await page.fill('[name=token-name]', 'scada');
  await page.locator('[name=scope-act]').check();
  assert.deepEqual(await axe(page), []);
  await page.locator('dialog [data-action=do]').click();
  await page.locator('[data-testid=token-made] code', { hasText: 'secret-of-scada-read+act' }).waitFor();
  await page.getByRole('button', { name: 'I have kept it' }).click();
  assert.equal(await page.getByText('secret-of').count(), 0);
  await page.getByRole('button', { name: 'Remove maria?' }).click();
  await page.locator('dialog [data-action=do]').click();
  await page.locator('dialog [data-testid=refused]', { hasText: 'this is the last administrator; make another one first' }).waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  assert.match(await page.locator('#tokens').innerText(), /old[^]*revoked/);
  await close();
});

test('pages with times of headquarters say by which clock they are', async () => {
  const { page, close } = await open('/rules', { role: 'administrator' });
  for (const path of ['/rules', `/rules/${SITE}`, '/users', '/audit']) {
    await page.goto(new URL(path, page.url()).href);
    await page.locator('[data-testid=time-zone]', { hasText: 'Europe/Berlin' }).waitFor();
    assert.equal(await page.locator('[data-testid=time-zone]').count(), 1, path);
  }
  await close();
});

test('the audit is read page by page, and a name narrows it', async () => {
  const { page, world, close } = await open('/audit', { role: 'administrator' });
  await page.locator('#audit tbody tr').first().waitFor();
  await page.locator('[data-action=older]').click();
  await until('two pages', async () => (await page.locator('#audit tbody tr').count()) === 2);
  assert.equal(await page.locator('[data-action=older]').count(), 0, 'there are no older ones');
  const did = page.locator('#audit').getByRole('button', { name: 'Changed the rules' }).first();
  assert.equal(await did.getAttribute('title'), 'set_rules', 'as the export has it');
  await did.click();
  await until('the narrowed question', () => world.asked.at(-1).query.action === 'set_rules');
  assert.match(page.url(), /action=set_rules/);
  assert.equal(await page.locator('[data-filter=action] option:checked').innerText(), 'Changed the rules');
  assert.match(await page.getByRole('link', { name: 'CSV' }).getAttribute('href'), /^\/api\/v1\/audit\.csv\?action=set_rules&/);
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  assert.ok(!page.url().includes('action='));
  await close();
});

test('times and names of the audit stand in one line each, and long details wrap', async () => {
  const entry = { id: 9, at: '2026-11-26T20:52:25Z', actor: 'harness (root on vm)', action: 'user_added', subject: `site ${SITE}`, detail: 'x'.repeat(60) + ' and so on'.repeat(40) };
  const { page, close } = await open('/audit', { role: 'administrator', context: { viewport: { width: 1600, height: 900 } }, answers: { 'GET /api/v1/audit': { entries: [entry], next: null } } });
  const row = page.locator('#audit tbody tr');
  await row.waitFor();
  const lines = (place) => place.evaluate((one) => one.getBoundingClientRect().height / parseFloat(getComputedStyle(one).lineHeight || 20));
  assert.equal(await row.locator('th').evaluate((one) => { const text = document.createRange(); text.selectNodeContents(one); return text.getClientRects().length; }), 1);
  const words = await row.locator('td').first().locator('button').evaluate((one) => one.getBoundingClientRect().width);
  assert.ok(words > 60 && (await lines(row.locator('td').first().locator('button'))) < 3.5, `${words} px`);
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0);
  await close();
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe-core finds nothing to complain of, and nothing sticks out (${colorScheme === 'dark' ? 'dark, on a phone' : 'light'})`, async () => {
    const context = { colorScheme, ...(colorScheme === 'dark' && { viewport: { width: 360, height: 740 } }) };
    const { page, close } = await open('/rules', { context, role: 'administrator' });
    for (const [path, there] of [['/rules', '#sites'], [`/rules/${SITE}`, '[data-version]'], [`/sites/${SITE}/settings`, '[data-testid=settings] form'], ['/users', '#tokens'], ['/audit', '#audit']]) {
      await page.goto(new URL(path, page.url()).href);
      await page.locator(there).first().waitFor();
      if (path === `/rules/${SITE}`) await page.locator('[data-action=edit]').click();
      if (path.endsWith('settings')) await page.getByRole('button', { name: 'Set the shifts here' }).click();
      assert.deepEqual(await axe(page), [], path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${path}: ${wide} px stick out`);
    }
    assert.deepEqual(page.broken, []);
    await close();
  });
}
