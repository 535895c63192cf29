// Pictures of headquarters' page: its views with a real central, and the fleet in every kind of trouble made of answers.
import { join } from 'node:path';
import { bend, openPage, until } from './harness.mjs';
import { answers, SITE } from './hq-answers.mjs';
import { calm, headers, signedIn, startHeadquarters } from './hq.mjs';
import { ago, alert, fake, fleet, site, uuid } from './hq-fake.mjs';

const SIZES = {
  desk: { viewport: { width: 1440, height: 900 } },
  phone: { viewport: { width: 360, height: 780 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
  dark: { viewport: { width: 1440, height: 900 }, colorScheme: 'dark' },
};

export async function shootHeadquarters(browser, out) {
  await troubles(browser, out);
  await figures(browser, out);
  await real(browser, out);
}

async function troubles(browser, out) {
  const alerts = [alert(1), alert(2, { severity: 'critical', camera_id: 'belt-2', zone_id: uuid(500_002), started_at: ago(300) }), alert(4, { subject: 'system', rule: 'camera-silent', peak: null, started_at: ago(1300) })];
  const many = Array.from({ length: 500 }, (_, index) => (index < 7 ? fleet()[index] : site(index + 1)));
  for (const [name, context] of Object.entries(SIZES)) {
    for (const [what, options] of [['hq-fleet', { alerts }], ['hq-fleet-500', { sites: many, alerts }], ['hq-site', { alerts, path: `/sites/${uuid(1)}` }], ['hq-alerts', { alerts, path: '/alerts' }]]) {
      const world = await fake(browser, { ...options, context });
      await world.page.locator('main table tbody tr').first().waitFor();
      await world.page.waitForLoadState('networkidle');
      await world.page.screenshot({ path: join(out, `${what}-${name}.png`), fullPage: what !== 'hq-fleet-500' });
      if (what === 'hq-fleet') {
        world.cut();
        await world.page.locator('[data-testid=outdated]').waitFor();
        await world.page.screenshot({ path: join(out, `hq-lost-${name}.png`) });
      }
      await world.close();
    }
  }
}

async function figures(browser, out) {
  for (const [name, context] of Object.entries(SIZES)) {
    for (const [what, path, there] of [
      ['ranking', '/trends', '#sites'], ['trend', `/trends?site=${SITE}&range=yesterday`, '[data-testid=trend] canvas'], ['heatmap', `/trends?site=${SITE}&view=heatmap`, '[data-testid=heatmap]'],
      ['comparison', `/trends?site=${SITE}&with=week`, '#compared'], ['distribution', `/trends?site=${SITE}&view=distribution`, '[data-testid=histogram]'], ['completeness', `/completeness?site=${SITE}&range=28d`, '#periods'],
    ]) {
      const { page, close } = await fake(browser, { answers, path, context });
      await page.locator(there).first().waitFor();
      await page.waitForLoadState('networkidle');
      await page.screenshot({ path: join(out, `hq-${what}-${name}.png`), fullPage: true });
      await close();
    }
  }
}

async function real(browser, out) {
  const hq = await startHeadquarters({ edges: 2 });
  const [edge] = hq.edges;
  const quiet = calm(edge);
  let bending;
  try {
    const first = await openPage(browser, hq.url, SIZES.desk);
    await first.locator('[data-testid=no-accounts]').waitFor();
    await first.screenshot({ path: join(out, 'hq-no-accounts-desk.png') });
    await hq.addUser('maria', 'safety-manager');
    bending = await bend(edge, { keep: true, headers: headers(edge) });
    const open = await until('an alert at headquarters', async () => (await hq.get('/api/v1/alerts?state=open')).alerts.find(({ subject }) => subject === 'risk'), 60_000);
    for (const [name, context] of Object.entries(SIZES)) {
      const page = await openPage(browser, hq.url, context);
      await page.locator('[data-testid=login]').waitFor();
      await page.screenshot({ path: join(out, `hq-login-${name}.png`) });
      await signedIn(page, 'maria');
      const shoot = async (what, path, ready) => {
        await page.goto(hq.url + path);
        await page.locator(ready).first().waitFor({ timeout: 40_000 });
        await page.waitForLoadState('networkidle');
        await page.screenshot({ path: join(out, `hq-real-${what}-${name}.png`), fullPage: true });
      };
      await shoot('fleet', '/', '#sites tbody tr');
      await shoot('site', `/sites/${edge.warehouse_id}`, '#cameras tbody tr');
      await shoot('alerts', '/alerts', '#alerts tbody tr');
      await shoot('alert', `/alerts/${open.alert_id}`, '[data-testid=story] li');
      await shoot('dead-letters', '/dead-letters', '[data-testid=empty]');
      await page.context().close();
    }
  } finally {
    bending?.stop();
    quiet.stop();
    await hq.stop();
  }
}
