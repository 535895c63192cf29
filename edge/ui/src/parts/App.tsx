// How the parts are put together, for hands and for walls.

import { refused } from '../actions';
import { clockSeconds } from '../format';
import { t } from '../i18n';
import { href, view, wall } from '../route';
import { helping } from '../selection';
import { link, mayAct, now, session, site } from '../store';
import { follow } from './AlertCard';
import { AlertDetail } from './AlertDetail';
import { AlertList } from './AlertList';
import { Announcer } from './Announcer';
import { Help } from './Help';
import { Login } from './Login';
import { Shift } from './Shift';
import { Silences } from './Silences';
import { SilenceSheet } from './SilenceSheet';
import { SoundButton } from './SoundButton';
import { StateBand } from './StateBand';
import { Uplink } from './Uplink';
import { Zones } from './Zones';

export function App({ signedIn, signOut }: { signedIn: () => void; signOut: () => void }) {
  if (session.value === 'nobody') return <Login done={signedIn} />;
  return (
    <div class={`app ${wall.value ? 'wall' : ''} ${link.value.phase === 'up' ? '' : 'stale'}`}>
      {!wall.value && <a class="skip" href="#main">{t.value.toAlerts}</a>}
      <StateBand />
      {wall.value ? <WallBar /> : <Bar />}
      {refused.value && (
        <p class="refused" role="alert">{refused.value} <button onClick={() => (refused.value = null)}>{t.value.close}</button></p>
      )}
      <Main />
      {!wall.value && <Foot signOut={signOut} />}
      <Announcer />
      {!wall.value && <SilenceSheet />}
      {!wall.value && <Help />}
    </div>
  );
}

function Main() {
  const own = view.value;
  if (wall.value) return <main id="main" class="main"><AlertList /><div class="side"><Zones /><Silences /></div></main>;
  if (own.name === 'shift') return <main id="main" tabIndex={-1} class="main one"><Shift /></main>;
  if (own.name === 'silences') return <main id="main" tabIndex={-1} class="main one"><Silences always /></main>;
  return (
    <main id="main" tabIndex={-1} class={own.name === 'alert' ? 'main has-detail' : 'main'}>
      <AlertList />
      <div class="side">
        {own.name === 'alert' ? <AlertDetail key={own.id} id={own.id} /> : <><Zones /><Silences /></>}
      </div>
    </main>
  );
}

function Bar() {
  const links = [['/', t.value.alerts], ['/shift', t.value.shift], ['/silences', t.value.silences]] as const;
  const path = view.value.name === 'alerts' || view.value.name === 'alert' ? '/' : `/${view.value.name}`;
  return (
    <section class="bar" aria-label="SmartPick">
      <nav>
        {links.map(([to, text]) => (
          <a key={to} href={href(to)} aria-current={path === to ? 'page' : undefined} onClick={(event) => follow(event, to)}>{text}</a>
        ))}
      </nav>
      <Uplink />
      <SoundButton />
    </section>
  );
}

function Foot({ signOut }: { signOut: () => void }) {
  const who = session.value;
  return (
    <footer class="foot">
      {typeof who === 'object' && (
        <p>
          {who.name}{!mayAct.value && ` · ${t.value.readOnly}`}
        </p>
      )}
      {typeof who === 'object' && who.kind === 'user' && <button onClick={signOut}>{t.value.signOut}</button>}
      <button class="help-button" onClick={() => (helping.value = true)}>{t.value.keys} <kbd>?</kbd></button>
      <p class="dim">SmartPick {site.value?.version}</p>
    </footer>
  );
}

function WallBar() {
  return (
    <section class="bar" aria-label="SmartPick">
      <p class="site-name">{site.value?.name} <time>{clockSeconds(now.value)}</time></p>
      <Uplink />
      <SoundButton />
    </section>
  );
}
