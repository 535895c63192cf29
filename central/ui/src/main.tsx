// Begins: who we are, then the line to headquarters, then the page.

import { effect } from '@preact/signals';
import { render } from 'preact';
import { get, onForbidden, Problem, remove } from '../../../common/ui/api';
import { choose } from '../../../common/ui/language';
import { flushActions } from './actions';
import { unwatchHealth, watchHealth } from './health';
import { dictionaries, language } from './i18n';
import { startKeys } from './keys';
import { current } from './pages';
import { App } from './parts/App';
import { startPolling, stopPolling } from './poll';
import { asked } from './route';
import { connect, disconnect } from './socket';
import { link, refusal, session } from './store';
import { mood } from './mood';
import type { Session } from './wire';
import 'uplot/dist/uPlot.min.css';
import '../../../common/ui/base.css';
import './style.css';
import './study.css';

async function begin(): Promise<void> {
  if (!(await whoAmI())) return;
  refusal.value = null;
  watchHealth();
  connect(() => {
    // Also what somebody may do can have changed meanwhile.
    void whoAmI();
    flushActions();
  }, () => void whoAmI().then((known) => known && startPolling()));
}

/** Whether somebody is signed in, as far as is known. */
async function whoAmI(): Promise<boolean> {
  try {
    const found = await get<Session>('/api/v1/session');
    // The same again is no news.
    if (JSON.stringify(found) !== JSON.stringify(session.peek())) session.value = found;
    return true;
  } catch (error) {
    const problem = error as Problem;
    // Not reached is not refused.
    if (problem.passing) return true;
    refusal.value = problem.code === 'sign_in' ? null : problem;
    session.value = 'nobody';
    disconnect();
    stopPolling();
    unwatchHealth();
    return false;
  }
}

async function signOut(): Promise<void> {
  await remove('/api/v1/session').catch(() => {});
  // The simplest way to forget all that this person has seen.
  location.reload();
}

effect(() => {
  language.value = choose(dictionaries, asked.value, navigator.languages);
  document.documentElement.lang = language.value;
});

/** The tab says which view it is, and its icon how the fleet is. */
effect(() => {
  const own = current.value;
  const title = session.value === 'nobody' || !own ? '' : `${own.page.title(own.params)} · `;
  document.title = `${title}SmartPick`;
  const icon = document.getElementById('icon') as HTMLLinkElement;
  const kind = link.value.phase === 'up' || link.value.phase === 'polled' ? mood.value : 'lost';
  const file = icon.getAttribute(`data-icon-${kind}`);
  if (file && icon.getAttribute('href') !== file) icon.href = file;
});

/** Who was refused may have another role than they had. */
onForbidden(() => void whoAmI());
/** Of a view that not everybody may see, nothing asks again by itself. */
const STILL_MAY_MS = 5_000;
setInterval(() => {
  if (current.peek()?.page.needs && typeof session.peek() === 'object' && document.visibilityState === 'visible') void whoAmI();
}, STILL_MAY_MS);

startKeys();
render(<App signedIn={() => void begin()} signOut={() => void signOut()} />, document.getElementById('page')!);
void begin();
