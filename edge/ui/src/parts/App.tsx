// How the parts are put together, for hands and for walls.

import { refused } from '../actions';
import { clockSeconds } from '../format';
import { t } from '../i18n';
import { href, kiosk, view, wall } from '../route';
import { helping } from '../selection';
import { mayAct, now, session, site } from '../store';
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
    <div class={wall.value ? 'app wall' : 'app'}>
      {!wall.value && <a class="skip" href="#alerts-title">{t.value.toAlerts}</a>}
      <StateBand />
      {wall.value ? <WallBar /> : <Bar signOut={signOut} />}
      {refused.value && (
        <p class="refused" role="alert">{refused.value} <button onClick={() => (refused.value = null)}>{t.value.close}</button></p>
      )}
      <Main />
      <Announcer />
      {!wall.value && <SilenceSheet />}
      {!wall.value && <Help />}
    </div>
  );
}

function Main() {
  const own = view.value;
  if (wall.value) return <main class="main"><AlertList /><div class="side"><Zones /><Silences /></div></main>;
  if (own.name === 'shift') return <main class="main one"><Shift /></main>;
  if (own.name === 'silences') return <main class="main one"><Silences always /></main>;
  return (
    <main class={own.name === 'alert' ? 'main has-detail' : 'main'}>
      <AlertList />
      <div class="side">
        {own.name === 'alert' ? <AlertDetail key={own.id} id={own.id} /> : <><Zones /><Silences /></>}
      </div>
    </main>
  );
}

function Bar({ signOut }: { signOut: () => void }) {
  const links = [['/', t.value.alerts], ['/shift', t.value.shift], ['/silences', t.value.silences]] as const;
  const who = session.value;
  const path = view.value.name === 'alerts' || view.value.name === 'alert' ? '/' : `/${view.value.name}`;
  return (
    <div class="bar">
      <nav>
        {links.map(([to, text]) => (
          <a key={to} href={href(to)} aria-current={path === to ? 'page' : undefined} onClick={(event) => follow(event, to)}>{text}</a>
        ))}
      </nav>
      <Uplink />
      <div class="bar-end">
        <SoundButton />
        <button class="help-button" aria-label={t.value.keys} onClick={() => (helping.value = true)}>?</button>
        {typeof who === 'object' && (
          <span class="who">
            {who.name}{!mayAct.value && <small> · {t.value.readOnly}</small>}
            {who.kind === 'user' && <button onClick={signOut}>{t.value.signOut}</button>}
          </span>
        )}
      </div>
    </div>
  );
}

function WallBar() {
  return (
    <div class="bar">
      <p class="site-name">{site.value?.name} <time>{clockSeconds(now.value)}</time></p>
      <Uplink />
      {(!kiosk.value || session.value !== 'unknown') && <SoundButton />}
    </div>
  );
}
