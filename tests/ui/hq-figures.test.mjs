// Figures as headquarters shows them, made of answers that a test chooses: what is not known never looks like no risk, nor
// do too few people look like nobody.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { axe, startBrowser, until } from './harness.mjs';
import { answers, HOUR, NOTHING, SITE, trend, zones } from './hq-answers.mjs';
import { fake, uuid } from './hq-fake.mjs';

let browser;
before(async () => (browser = await startBrowser()));
after(() => browser?.close());

const open = (path, more = {}) => fake(browser, { answers, path, ...more });
const reading = (page) => page.locator('[data-testid=reading]').innerText();

test('gaps of a trend are said in words, bucket by bucket, with the keyboard alone', async () => {
  const { page, close } = await open(`/trends?site=${SITE}&range=yesterday`);
  await page.locator('[data-testid=trend] canvas').first().waitFor();
  assert.match(await page.locator('[data-testid=filling]').innerText(), /Still filling/);
  const legend = await page.locator('.trend-legend').innerText();
  assert.match(legend, /No data/);
  assert.match(legend, /Under 5 people/);
  const scrub = page.locator('[data-testid=trend] input[type=range]');
  await scrub.focus();
  await page.keyboard.press('Home');
  assert.match(await reading(page), /Mean risk 41\.2 · 95th percentile 72 · Highest 92 · Time at risk: 5% of 1 h 00 min · 12 people · coverage 92%/);
  for (let index = 0; index < 3; index += 1) await page.keyboard.press('ArrowRight');
  assert.match(await reading(page), /03:00 – 04:00 No data$/);
  for (let index = 0; index < 3; index += 1) await page.keyboard.press('ArrowRight');
  assert.match(await reading(page), /06:00 – 07:00 Under 5 people$/, 'no figure of so few');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  assert.match(await reading(page), /Time at risk: 0% of 1 h 00 min/, 'nobody at risk is not no data');
  assert.match(await scrub.getAttribute('aria-valuetext'), /08:00 – 09:00: Mean risk/);
  await page.getByText('As a table').click();
  const rows = page.locator('#buckets tbody tr');
  assert.equal(await rows.count(), 12);
  assert.match(await rows.nth(3).innerText(), /No data/);
  assert.match(await rows.nth(6).innerText(), /Under 5 people/);
  assert.deepEqual(page.broken, []);
  await close();
});

test('what a trend asks is in its URL, and the file asks the same', async () => {
  const { page, world, close } = await open(`/trends?site=${SITE}&range=yesterday`);
  await page.locator('[data-testid=trend] canvas').first().waitFor();
  await page.locator('[data-testid=by]').selectOption('shift');
  await page.locator('.controls select').nth(1).selectOption({ label: 'Picking' });
  await until('the question with the zone', () => world.asked.some(({ path, query }) => path === '/api/v1/trend' && query.by === 'shift' && query.zone_id === zones[0].zone_id));
  const asked = world.asked.filter(({ path }) => path === '/api/v1/trend').at(-1).query;
  assert.equal(asked.warehouse_id, SITE);
  // Yesterday in Berlin, whatever the clock here.
  const hour = (iso) => new Intl.DateTimeFormat('en', { timeZone: 'Europe/Berlin', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(new Date(iso));
  assert.deepEqual([hour(asked.from), hour(asked.to)], ['00:00', '00:00']);
  const file = new URL(await page.locator('[data-testid=csv]').getAttribute('href'), page.url());
  assert.deepEqual([file.pathname, Object.fromEntries(file.searchParams)], ['/api/v1/trend.csv', asked]);
  const url = page.url();
  assert.match(url, /by=shift/);
  await page.goBack();
  await page.goBack();
  assert.equal(await page.locator('[data-testid=by]').inputValue(), 'hour');
  await page.goto(url);
  assert.equal(await page.locator('[data-testid=by]').inputValue(), 'shift');
  await close();
});

test('a cell of the heat map has its value, and those without one say why', async () => {
  const { page, close } = await open(`/trends?site=${SITE}&view=heatmap`);
  const cell = (row, hour) => page.locator(`[data-place="${row} ${hour}"]`);
  await cell(0, 8).waitFor();
  assert.deepEqual(await Promise.all([cell(0, 8), cell(0, 9), cell(0, 10), cell(0, 11), cell(0, 12), cell(1, 8)].map((one) => one.getAttribute('data-cell'))), ['data', 'data', 'suppressed', 'nodata', 'nodata', 'data']);
  assert.deepEqual(await Promise.all([cell(0, 8), cell(0, 9), cell(1, 8)].map((one) => one.innerText())), ['41', '0', '74']);
  assert.match(await cell(0, 10).innerText(), /<5/);
  const look = (place) => place.evaluate((one) => getComputedStyle(one).backgroundImage + getComputedStyle(one).backgroundColor);
  const looks = await Promise.all([cell(0, 9), cell(0, 10), cell(0, 11)].map(look));
  assert.equal(new Set(looks).size, 3, 'zero, too few and no data look different');
  assert.match(looks[1], /gradient/, 'too few people are hatched');
  await cell(0, 8).focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  assert.match(await reading(page), /Picking, 10:00 to 11:00 Under 5 people/);
  await page.keyboard.press('ArrowRight');
  assert.match(await reading(page), /11:00 to 12:00 No data/);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Home');
  assert.match(await reading(page), /Receiving, 00:00 to 01:00 No data/);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.place), '1 0', 'the focus walks along');
  assert.equal(await page.locator('.heat td[tabindex="0"]').count(), 1, 'the tab key stops once');
  await page.locator('[data-testid=show]').selectOption('at_risk');
  assert.equal(await cell(0, 8).innerText(), '5');
  assert.match(page.url(), /show=at_risk/);
  await close();
});

test('a comparison is said in words, and warns where less was seen', async () => {
  const { page, world, close } = await open(`/trends?site=${SITE}&with=week`);
  const lines = page.locator('[data-testid=differences] li');
  await lines.first().waitFor();
  assert.equal(await lines.first().innerText(), 'Mean risk 41.2 → 36.3, 12% lower');
  assert.match(await page.locator('[data-testid=caution]').innerText(), /92% of the time was seen, and now only 41%/);
  const rows = page.locator('#compared tbody tr');
  assert.match(await rows.nth(0).innerText(), /40 → 50 25% higher/);
  assert.match(await rows.nth(1).innerText(), /no data now/);
  assert.match(await rows.nth(2).innerText(), /under 5 people now/);
  const asked = world.asked.find(({ path }) => path === '/api/v1/compare').query;
  assert.equal(Date.parse(asked.from) - Date.parse(asked.with_from), 7 * 24 * HOUR);
  assert.equal(Date.parse(asked.to) - Date.parse(asked.with_to), 7 * 24 * HOUR, 'as much of the week before');
  assert.equal(await page.locator('[data-testid=range]').count(), 0, 'the pair brings its times');
  await page.locator('[data-testid=with]').selectOption('own');
  await page.locator('[data-testid=range]').waitFor();
  assert.match(page.url(), /with=\d{4}-\d\d-\d\dT\d\d%3A\d\d\.\.\d{4}/);
  await close();
});

test('a distribution has its percentiles, and a table for those who do not see it', async () => {
  const { page, close } = await open(`/trends?site=${SITE}&view=distribution`);
  await page.locator('[data-testid=histogram]').waitFor();
  assert.match(await page.locator('.histogram-marks').innerText(), /Median 40[^]*90th percentile 66[^]*95th percentile 72/);
  assert.equal(await page.locator('.histogram-bar').count(), 20);
  await page.getByText('As a table').click();
  assert.match(await page.locator('.histogram tbody').innerText(), /40 to 45\s+1,000/);
  assert.match(await page.locator('#zones').innerText(), /Receiving\s+No data[^]*Racking\s+Under 5 people/);
  await close();
});

test('sites are ranked, those without figures last, and each leads to its trend', async () => {
  const { page, close } = await open('/trends?range=28d');
  const rows = page.locator('#sites tbody tr');
  await rows.first().waitFor();
  assert.match(await rows.nth(0).innerText(), /Leipzig\s+20%/);
  assert.match(await rows.nth(2).innerText(), /Lyon\s+Under 5 people/);
  assert.match(await rows.nth(3).innerText(), /Rotterdam\s+No data/);
  // Sorted the other way, what is not known stays last.
  await page.getByRole('button', { name: 'Time at risk' }).click();
  await page.getByRole('button', { name: 'Time at risk' }).click();
  assert.match(await rows.nth(0).innerText(), /Zaragoza/);
  assert.match(await rows.nth(3).innerText(), /No data|Under 5/);
  await page.getByRole('link', { name: 'Leipzig' }).click();
  await page.locator('[data-testid=trend]').waitFor();
  assert.match(page.url(), new RegExp(`site=${SITE}.*range=28d`));
  await close();
});

test('nothing known names the next command, and a refusal can be asked again', async () => {
  let fail = true;
  const { page, close } = await open(`/trends?site=${SITE}`, {
    answers: { ...answers, 'GET /api/v1/trend': (request) => (fail ? { status: 503, body: { code: 'database_unavailable', message: 'x' } } : { ...trend(request), filling: false, buckets: trend(request).buckets.map((one) => ({ ...one, ...NOTHING, suppressed: false })) }) },
  });
  await page.locator('[data-testid=failed]').waitFor();
  assert.match(await page.locator('[data-testid=failed]').innerText(), /the database cannot be used now/);
  fail = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('[data-testid=empty]').waitFor();
  assert.match(await page.locator('[data-testid=empty]').innerText(), /No data in this time[^]*smartpick-central status/);
  assert.equal(await page.locator('canvas').count(), 0, 'no line at zero');
  await close();
});

test('completeness is said shift by shift, with the epochs, and filed', async () => {
  const { page, world, close } = await open(`/completeness?site=${SITE}&range=28d`);
  const rows = page.locator('#periods tbody tr');
  await rows.first().waitFor();
  assert.equal(await page.locator('[data-testid=tally]').innerText(), '1 of 3 complete');
  assert.match(await rows.nth(0).innerText(), /nothing was sent\s+–/);
  assert.match(await rows.nth(1).innerText(), /filling \(backlog 12,400, about 3 minutes\)[^]*the edges ran 80% of the time/);
  assert.match(await rows.nth(2).innerText(), /17 missing[^]*99\.9%/, 'what is not all is not called 100 %');
  assert.match(await rows.nth(3).innerText(), /complete[^]*100%/);
  await rows.nth(2).getByText('1 epoch concerned').click();
  assert.match(await rows.nth(2).innerText(), new RegExp(`north 1, epoch ${uuid(42)}: 17 missing`));
  const file = new URL(await page.locator('[data-testid=export]').getAttribute('href'), page.url());
  assert.deepEqual([file.pathname, Object.fromEntries(file.searchParams)], ['/api/v1/completeness.csv', world.asked.filter(({ path }) => path === '/api/v1/completeness').at(-1).query]);
  await close();
});

test('what is not known is no judgement of completeness', async () => {
  const unknown = (accepted) => (asked) => {
    const answer = answers['GET /api/v1/completeness'](asked);
    return { ...answer, periods: answer.periods.map((period, index) => (index < 2 ? { ...period, accepted, state: 'unknown', text: 'unknown', completeness: null } : period)) };
  };
  const onlyUnknown = (asked) => {
    const answer = unknown(10)(asked);
    return { ...answer, periods: answer.periods.slice(0, 2) };
  };
  for (const [answer, words] of [[unknown(10), '0 of 1 complete · 2 not known yet'], [onlyUnknown, '2 not known yet']]) {
    const { page, close } = await open(`/completeness?site=${SITE}&range=28d`, { answers: { ...answers, 'GET /api/v1/completeness': answer } });
    await page.locator('#periods tbody tr').first().waitFor();
    assert.equal(await page.locator('[data-testid=tally]').innerText(), words);
    await close();
  }
});

test('what could not be stored is not complete and leads to its dead letters, and what nobody can tell is not called not yet', async () => {
  const answer = (asked) => {
    const given = answers['GET /api/v1/completeness'](asked);
    const unknown = { accepted: 0, stored: 0, alerts: 0, duplicates: 0, completeness: null, state: 'unknown' };
    const change = [
      { dead: 6, stored: 31_194, completeness: 31_234 / 31_240, state: 'dead_lettered', text: 'all arrived, 6 dead-lettered, edges ran 80 % of it', ran: 0.8 }, {},
      { ...unknown, text: 'unknown (no edge of this site was known then)', ran: null }, { ...unknown, text: 'unknown (north 1 not heard since 2026-11-26 04:00 UTC)', ran: 0 },
    ];
    return { ...given, periods: given.periods.map((period, index) => ({ ...period, ...change[index] })) };
  };
  const { page, close } = await open(`/completeness?site=${SITE}&range=28d`, { answers: { ...answers, 'GET /api/v1/completeness': answer } });
  const rows = page.locator('#periods tbody tr');
  await rows.first().waitFor();
  assert.equal(await page.locator('[data-testid=tally]').innerText(), '0 of 2 complete · 1 with dead letters · 1 not known yet · 1 not known');
  assert.match(await rows.nth(3).innerText(), /6 not stored \(dead letters\)\s+the edges ran 80% of the time\s+99\.9%/);
  assert.equal(await rows.nth(3).locator('[data-completeness]').getAttribute('data-completeness'), 'dead_lettered');
  assert.match(await rows.nth(1).innerText(), /unknown\s+no edge of this site was known then/);
  assert.match(await rows.nth(0).innerText(), /unknown\s+north 1 not heard since 2026-11-26 04:00 UTC/);
  assert.deepEqual(await axe(page), []);
  await rows.nth(3).getByRole('link').click();
  await page.getByRole('heading', { name: 'Dead letters', level: 1 }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('site'), SITE);
  await close();
});

test('no label of an axis is cut on a phone', async () => {
  const daily = (asked) => {
    const answer = trend(asked);
    const begin = Date.parse(asked.query.from);
    const at = (index) => new Date(begin + index * 24 * HOUR).toISOString();
    return { ...answer, buckets: Array.from({ length: 7 }, (_, index) => ({ ...answer.buckets[0], from: at(index), to: at(index + 1) })) };
  };
  for (const [by, lang] of [['day', 'de'], ['day', 'pl'], ['hour', 'de']]) {
    const { page, close } = await open('/completeness', { answers: { ...answers, 'GET /api/v1/trend': by === 'day' ? daily : trend }, context: { viewport: { width: 390, height: 844 } } });
    await page.addInitScript(() => {
      globalThis.cut = [];
      const draw = CanvasRenderingContext2D.prototype.fillText;
      CanvasRenderingContext2D.prototype.fillText = function (text, x, ...more) {
        const half = this.measureText(text).width / 2;
        globalThis.written = (globalThis.written ?? 0) + 1;
        if (this.textAlign === 'center' && (x - half < 0 || x + half > this.canvas.width)) globalThis.cut.push(text);
        return draw.call(this, text, x, ...more);
      };
    });
    await page.goto(new URL(`/trends?site=${SITE}&range=${by === 'day' ? '7d' : 'yesterday'}&by=${by}&lang=${lang}`, page.url()).href);
    await until('the labels', () => page.evaluate(() => globalThis.written > 5));
    assert.deepEqual(await page.evaluate(() => globalThis.cut), [], `${by} ${lang}`);
    await close();
  }
});

test('it speaks the languages it says it does', async () => {
  for (const [lang, words] of [['de', /Mittleres Risiko 41,2 → 36,3, 12\s%\sniedriger/], ['es', /Riesgo medio 41,2 → 36,3, 12\s%\smenos/], ['pl', /Średnie ryzyko 41,2 → 36,3, o 12%\smniej/]]) {
    const { page, close } = await open(`/trends?site=${SITE}&with=week&lang=${lang}`);
    await page.locator('[data-testid=differences] li').first().waitFor();
    assert.match(await page.locator('[data-testid=differences] li').first().innerText(), words);
    assert.deepEqual(await axe(page), []);
    await close();
  }
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe-core finds nothing to complain of, and nothing sticks out (${colorScheme === 'dark' ? 'dark, on a phone' : 'light'})`, async () => {
    const context = { colorScheme, ...(colorScheme === 'dark' && { viewport: { width: 360, height: 740 } }) };
    const { page, close } = await open('/trends', { context });
    for (const [path, there] of [
      ['/trends', '#sites'], [`/trends?site=${SITE}&range=yesterday`, '[data-testid=trend] canvas'], [`/trends?site=${SITE}&view=heatmap`, '[data-testid=heatmap]'], [`/trends?site=${SITE}&with=previous`, '#compared'],
      [`/trends?site=${SITE}&view=distribution`, '[data-testid=histogram]'], ['/completeness', '#sites'], [`/completeness?site=${SITE}`, '#periods'],
    ]) {
      await page.goto(new URL(path, page.url()).href);
      await page.locator(there).first().waitFor();
      for (const summary of await page.locator('.main summary').all()) await summary.click();
      assert.deepEqual(await axe(page), [], path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${path}: ${wide} px stick out`);
    }
    assert.deepEqual(page.broken, []);
    await close();
  });
}
