// What the page shows in each state: no data is not quiet, nothing comes from elsewhere, anybody can read it.
import assert from 'node:assert/strict';
import http from 'node:http';
import test, { after, before } from 'node:test';
import { axe, bend, calm, event, openPage, send, startBrowser, startEdge, startWire, until, waitState } from './harness.mjs';

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser?.close());

/** An edge for one test. */
async function withEdge(options, run) {
  const edge = await startEdge(options);
  try {
    await run(edge);
  } finally {
    await edge.stop();
  }
}

const fine = async (page) => assert.deepEqual([...page.broken, ...(await page.evaluate(() => globalThis.policyBroken))], []);

test('no data, a blind zone and quiet are three things', async () => {
  await withEdge({}, async (edge) => {
    const page = await openPage(browser, edge.url);
    await waitState(page, 'nodata');
    assert.match(await page.locator('[data-testid=state]').innerText(), /No data\s+No camera has sent anything yet/);
    assert.match(await page.getAttribute('#icon', 'href'), /nodata-/);
    assert.match(await page.locator('.command code').innerText(), /smartpick-edge simulate --url http:/);
    await page.locator('.command button').click();
    assert.match(await page.evaluate(() => String(getSelection())), /^smartpick-edge simulate/);
    await send(edge, [event({ zone: 'Picking', camera: 'cam-01' })]);
    await waitState(page, 'check');
    assert.match(await page.locator('[data-testid=state]').innerText(), /No data from Racking, Receiving/);
    await send(edge, [event({ zone: 'Receiving', camera: 'cam-02' }), event({ zone: 'Racking', camera: 'cam-03' })]);
    await waitState(page, 'quiet');
    // The cameras fall silent: after a minute it must not look quiet any more.
    await until('no data', async () => (await page.getAttribute('[data-testid=state]', 'data-state')) === 'nodata', 90_000);
    assert.match(await page.locator('[data-testid=state]').innerText(), /No camera has sent anything since (?:\w{3},? \w+ \w+, )?\d\d:\d\d/);
    await fine(page);
  });
});

test('a thousand alerts stay usable', async () => {
  const zones = Array.from({ length: 125 }, (_, index) => `00000000-0000-4000-8000-0000000a${String(index).padStart(4, '0')}`);
  await withEdge({ bare: true }, async (edge) => {
    const page = await openPage(browser, `${edge.url}/?state=all`);
    await waitState(page, 'nodata');
    const now = Date.now();
    const events = [];
    zones.forEach((zone_id, zone) => {
      for (let person = 0; person < 8; person += 1) {
        const worker = `00000000-0000-4000-8000-${String(zone * 8 + person).padStart(12, '0')}`;
        for (let at = now - 3_600; at <= now; at += 450) events.push(event({ zone_id, camera: `cam-${zone}`, worker, risk: 80, at }));
      }
    });
    events.sort((a, b) => a.event_time.localeCompare(b.event_time));
    await send(edge, events);
    const count = page.locator('[data-testid=count]');
    await until('a thousand alerts', async () => Number((await count.innerText()).replaceAll(',', '')) >= 990, 60_000);
    assert.ok((await page.locator('[data-alert]').count()) <= 60, 'only what can be read is drawn');
    const first = await page.locator('[data-alert] .alert-camera').first().innerText();
    const took = await page.evaluate(async (text) => {
      const begun = performance.now();
      const search = document.getElementById('search');
      search.value = text;
      search.dispatchEvent(new InputEvent('input', { bubbles: true }));
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      return performance.now() - begun;
    }, first);
    assert.ok(took < 500, `a search took ${took} ms`);
    await until('the search to narrow the list', async () => Number((await count.innerText()).replaceAll(',', '')) <= 120);
    await page.fill('#search', '');
    await page.getByRole('button', { name: /Show more/ }).click();
    await until('more to be drawn', async () => (await page.locator('[data-alert]').count()) > 60);
    await fine(page);
  });
});

test('no request leaves the origin, in any view and mode', async () => {
  await withEdge({}, async (edge) => {
    const quiet = calm(edge);
    const bending = await bend(edge, { keep: true });
    const { alerts } = await until('an alert', async () => {
      const answer = await (await fetch(`${edge.url}/api/v1/alerts`)).json();
      return answer.alerts.length > 0 && answer;
    });
    for (const path of ['/', '/?wall', '/?kiosk', '/?lang=pl&state=all', '/shift?lang=de', '/silences?lang=es', `/alerts/${alerts[0].alert_id}`, '/alerts/nonsense']) {
      const page = await openPage(browser, edge.url + path);
      await waitState(page, 'alert');
      await page.waitForLoadState('load');
      assert.ok(page.asked.some((url) => url.startsWith('ws:')), 'it did ask');
      await fine(page);
      await page.context().close();
    }
    bending.stop();
    quiet.stop();
  });
});

test('the page’s policy refuses what is not ours', async () => {
  // This shows that the test above can fail.
  await withEdge({}, async (edge) => {
    const page = await openPage(browser, edge.url);
    await waitState(page, 'nodata');
    await page.evaluate(() => {
      const image = new Image();
      image.src = 'http://192.0.2.1/pixel.png';
      document.body.append(image);
      const script = document.createElement('script');
      script.textContent = 'globalThis.inline = true';
      document.body.append(script);
    });
    const broken = await until('two violations', async () => {
      const seen = await page.evaluate(() => globalThis.policyBroken);
      return seen.length >= 2 && seen;
    });
    assert.match(broken.join(), /img-src http:\/\/192\.0\.2\.1/);
    assert.equal(await page.evaluate(() => globalThis.inline), undefined);
  });
});

test('the page is served to be kept, packed, and asked for again', async () => {
  await withEdge({}, async (edge) => {
    const index = await fetch(edge.url);
    assert.equal(index.headers.get('cache-control'), 'no-cache');
    assert.match(index.headers.get('content-security-policy'), /default-src 'self'/);
    const html = await index.text();
    const known = await fetch(edge.url, { headers: { 'if-none-match': index.headers.get('etag') } });
    assert.equal(known.status, 304);
    const script = html.match(/src="(\/assets\/[^"]+\.js)"/)[1];
    const packed = await new Promise((resolve, reject) => http.get(edge.url + script, { headers: { 'accept-encoding': 'gzip' } }, resolve).on('error', reject));
    packed.resume();
    assert.equal(packed.headers['content-encoding'], 'gzip');
    assert.match(packed.headers['cache-control'], /immutable/);
    for (const path of ['/shift', '/silences', '/alerts/anything']) assert.equal(await (await fetch(edge.url + path)).text(), html, path);
    for (const path of ['/nothing', '/api/v1/nothing', '/assets/nothing.js', '/alerts/a/b']) assert.equal((await fetch(edge.url + path)).status, 404, path);
  });
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe-core finds nothing to complain of, and nothing sticks out (${colorScheme === 'dark' ? 'dark, on a phone' : 'light'})`, async () => {
    await withEdge({}, async (edge) => {
      const wire = await startWire(edge.port);
      const page = await openPage(browser, wire.url, { colorScheme, ...(colorScheme === 'dark' && { viewport: { width: 360, height: 740 } }) });
      // Still pictures: axe reads colours in the middle of a transition too.
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const clean = async (what) => {
        assert.deepEqual(await axe(page), [], what);
        const { wide, tall } = await page.evaluate(() => ({
          wide: document.documentElement.scrollWidth - innerWidth,
          tall: document.documentElement.scrollHeight - Math.max(innerHeight, document.getElementById('page').offsetHeight),
        }));
        assert.ok(wide <= 0 && tall <= 1, `${what}: nothing sticks out, ${wide} px to the side, ${tall} px below`);
      };
      await waitState(page, 'nodata');
      await clean('no data');
      const quiet = calm(edge);
      await waitState(page, 'quiet');
      await clean('quiet');
      const bending = await bend(edge, { keep: true });
      await page.locator('[data-alert]').waitFor();
      await clean('alert');
      await page.locator('[data-action=silence]').click();
      await clean('silencing');
      await page.keyboard.press('Escape');
      await page.locator('dialog').waitFor({ state: 'detached' });
      await page.keyboard.press('?');
      await page.locator('dialog').waitFor();
      await clean('help');
      await page.keyboard.press('Escape');
      await page.locator('dialog').waitFor({ state: 'detached' });
      await page.locator('[data-action=acknowledge]').click();
      await page.locator('[data-alert-state=acknowledged]').waitFor();
      await clean('acknowledged');
      await page.locator('[data-alert] h3 a').click();
      await page.locator('[data-testid=detail] canvas').waitFor();
      await clean('detail');
      await page.getByRole('link', { name: 'Shift', exact: true }).click();
      await page.locator('[data-testid=shift] tbody tr').first().waitFor();
      await clean('shift');
      await page.getByRole('link', { name: 'Silences' }).click();
      await clean('silences');
      await page.goto(`${wire.url}/?kiosk`);
      await waitState(page, 'alert');
      await clean('wall');
      await page.goto(wire.url);
      await waitState(page, 'alert');
      wire.cut();
      await waitState(page, 'lost');
      await clean('connection lost');
      bending.stop();
      quiet.stop();
      await wire.close();
    });
  });
}

test('it speaks the languages it says it does, in the site’s time zone', async () => {
  await withEdge({}, async (edge) => {
    for (const [lang, words] of [['en', 'No data'], ['de', 'Keine Daten'], ['es', 'Sin datos'], ['pl', 'Brak danych']]) {
      const page = await openPage(browser, `${edge.url}/?lang=${lang}`);
      await waitState(page, 'nodata');
      assert.equal(await page.locator('h1').innerText(), words);
      assert.equal(await page.getAttribute('html', 'lang'), lang);
      assert.deepEqual(await axe(page), []);
      await page.setViewportSize({ width: 390, height: 844 });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${lang}: ${wide} px stick out on a phone`);
      await page.context().close();
    }
    const page = await openPage(browser, edge.url, { locale: 'pl-PL', timezoneId: 'Asia/Tokyo' });
    await waitState(page, 'nodata');
    assert.equal(await page.locator('h1').innerText(), 'Brak danych', 'the browser’s language');
    await page.goto(`${edge.url}/?wall`);
    await until('the site’s clock', async () => {
      const berlin = new Intl.DateTimeFormat('pl', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: 'Europe/Berlin' }).format(Date.now());
      return (await page.locator('.site-name time').innerText()).startsWith(berlin);
    });
    await page.context().close();
  });
});
