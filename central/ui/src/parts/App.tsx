// How the parts are put together.

import { useEffect, useRef } from 'preact/hooks';
import { KeysSheet } from '../../../../common/ui/parts/Sheet';
import { CHANGE_ROLE } from '../commands';
import { t } from '../i18n';
import { helping } from '../keys';
import { current } from '../pages';
import { href, path } from '../route';
import { link, may, me, present, session } from '../store';
import { Announcer } from './Announcer';
import { Empty, Loading } from './Empty';
import { Header, Ill, Stale } from './Header';
import { Login } from './Login';
import { PasswordSheet } from './PasswordSheet';
import { SilenceSheet } from './SilenceSheet';
import { Toasts } from './Toasts';

export function App({ signedIn, signOut }: { signedIn: () => void; signOut: () => void }) {
  if (session.value === 'nobody') return <Login done={signedIn} />;
  if (session.value === 'unknown') return <main class="login"><h1>SmartPick</h1>{link.value.phase === 'lost' ? <p role="alert">{t.value.shell.lostNever}</p> : <Loading />}</main>;
  return (
    <div class={link.value.phase === 'lost' || present.value.outdated ? 'app stale' : 'app'}>
      <a class="skip" href="#main">{t.value.shell.skip}</a>
      <Header signOut={signOut} />
      <Stale />
      <Ill />
      <Main />
      <Announcer />
      <Toasts />
      <SilenceSheet />
      <PasswordSheet />
      <Help />
    </div>
  );
}

function Main() {
  const box = useRef<HTMLElement>(null);
  const first = useRef(true);
  const here = path.value;
  useEffect(() => {
    // A new view begins at its top for those who hear it too; the first one is where the browser puts us.
    if (!first.current) (box.current?.querySelector<HTMLElement>('h1') ?? box.current)?.focus({ preventScroll: true });
    first.current = false;
  }, [here]);
  return <main id="main" ref={box} tabIndex={-1} class="main"><View key={here} /></main>;
}

function View() {
  const own = current.value;
  if (!own) {
    return (
      <>
        <h1 tabIndex={-1}>{t.value.shell.notFound}</h1>
        <Empty title={t.value.shell.lookedFor(path.value)}><p><a href={href('/')}>{t.value.shell.toFleet}</a></p></Empty>
      </>
    );
  }
  const { page, params } = own;
  if (page.needs && !may(page.needs)) {
    const name = me.value?.name ?? 'NAME';
    return <><h1 tabIndex={-1}>{page.title(params)}</h1><Empty title={t.value.shell.notAllowed} hint={t.value.shell.notAllowedHint} command={CHANGE_ROLE(name, page.needs === 'people' ? 'safety-manager' : 'administrator')} /></>;
  }
  const Shown = page.view;
  return <Shown params={params} />;
}

function Help() {
  if (!helping.value) return null;
  const { keys, close, keyHelp } = t.value.shell;
  const list = [['j', keyHelp.j], ['k', keyHelp.k], ['Enter', keyHelp.enter], ['a', keyHelp.a], ['s', keyHelp.s], ['/', keyHelp.slash], ['?', keyHelp.question], ['Esc', keyHelp.escape]] as const;
  return <KeysSheet title={keys} keys={list} closeWord={close} close={() => (helping.value = false)} />;
}
