// Begins: who we are, then the line to the edge, then the page.

import { effect } from '@preact/signals';
import { render } from 'preact';
import { flushActions, refreshSilences } from './actions';
import { get, post, Problem, remove } from '../../../common/ui/api';
import { choose } from '../../../common/ui/language';
import { count } from './format';
import { dictionaries, language } from './i18n';
import { startKeys } from './keys';
import { App } from './parts/App';
import { stateTitle } from './parts/StateBand';
import { asked, takeToken, wall } from './route';
import { connect, disconnect } from './socket';
import { startSound } from './sound';
import { link, refusal, session, site, state } from './store';
import type { Session, Site } from './wire';
import 'uplot/dist/uPlot.min.css';
import '../../../common/ui/base.css';
import './style.css';

const SILENCES_EVERY_MS = 10_000;
const SITE_EVERY_MS = 300_000;

/** A kiosk's token, for as long as this page lives: a session that ends overnight is opened again. */
let token = takeToken();

async function begin(): Promise<void> {
  try {
    if (token !== null) await post('/api/v1/session', { kiosk_token: token });
  } catch (error) {
    if (!(error as Problem).passing) token = null;
    refusal.value = (error as Problem).status === 0 ? null : (error as Problem);
  }
  if (!(await whoAmI())) return;
  refusal.value = null;
  connect(() => {
    flushActions();
    void refreshSilences();
    void loadSite();
  }, () => void whoAmI());
}

/** Whether somebody is signed in, as far as is known. */
async function whoAmI(mayRenew = true): Promise<boolean> {
  try {
    session.value = await get<Session>('/api/v1/session');
    return true;
  } catch (error) {
    const problem = error as Problem;
    // Not reached is not refused.
    if (problem.passing) return true;
    if (token !== null && mayRenew) {
      const again = await post('/api/v1/session', { kiosk_token: token }).then(() => true, () => false);
      if (again) return whoAmI(false);
    }
    if (problem.code !== 'sign_in') refusal.value = problem;
    session.value = 'nobody';
    disconnect();
    return false;
  }
}

async function loadSite(): Promise<void> {
  try {
    if (session.value === 'unknown') await whoAmI();
    site.value = await get<Site>('/api/v1/site');
  } catch {
    // Asked again with the next connection.
  }
}

async function signOut(): Promise<void> {
  await remove('/api/v1/session').catch(() => {});
  // The simplest way to forget all that this person has seen.
  location.reload();
}

language.value = choose(dictionaries, asked.value, navigator.languages);

effect(() => {
  document.documentElement.lang = language.value;
  document.documentElement.dataset.mode = wall.value ? 'wall' : 'page';
});

/** The tab says how the floor is. */
effect(() => {
  const { kind, zones, count: alerts } = state.value;
  const many = kind === 'alert' && alerts > 1 ? ` (${count(alerts)})` : '';
  const where = kind === 'alert' ? `: ${zones.join(', ')}` : '';
  document.title = session.value === 'nobody' ? 'SmartPick' : `${stateTitle()}${many}${where} · SmartPick`;
  const icon = document.getElementById('icon') as HTMLLinkElement;
  const href = icon.getAttribute(`data-icon-${kind === 'connecting' ? 'lost' : kind}`);
  if (href && icon.getAttribute('href') !== href) icon.href = href;
});

startSound();
startKeys();
setInterval(() => void refreshSilences(), SILENCES_EVERY_MS);
setInterval(() => link.value.phase === 'up' && void loadSite(), SITE_EVERY_MS);
render(<App signedIn={() => void begin()} signOut={() => void signOut()} />, document.getElementById('page')!);
void begin();
