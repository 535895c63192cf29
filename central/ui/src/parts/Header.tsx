// On top of every view: where one can go, how we stand to headquarters, who one is.

import { useEffect, useRef } from 'preact/hooks';
import { Shape, SHAPES } from '../../../../common/ui/parts/Icon';
import { clock, clockSeconds, count } from '../format';
import { ill } from '../health';
import { dictionaries, language, t } from '../i18n';
import { helping } from '../keys';
import { NAV } from '../nav';
import { current } from '../pages';
import { href, path, setQuery } from '../route';
import { link, may, me, now, present } from '../store';
import { changingPassword } from './PasswordSheet';
import { SiteSearch } from './SiteSearch';

export function Header({ signOut }: { signOut: () => void }) {
  return (
    <header class="top">
      <a class="brand" href={href('/')}><span>SmartPick</span> <small>{t.value.shell.nav}</small></a>
      <Nav />
      <SiteSearch />
      <Live />
      <Account signOut={signOut} />
    </header>
  );
}

function Nav() {
  const here = current.value?.page.nav;
  const entries = NAV.filter(({ needs }) => may(needs ?? 'read')).map(({ to, word, number }) => ({ to, word: word(), many: number?.() ?? 0 }));
  const own = useRef<HTMLElement>(null);
  useEffect(() => {
    const [box, link] = [own.current, own.current?.querySelector<HTMLElement>('[aria-current]')];
    // Only sideways: the page stays where it is.
    if (box && link) box.scrollLeft = link.offsetLeft - box.offsetLeft - (box.clientWidth - link.offsetWidth) / 2;
  }, [here, language.value, entries.map(({ many }) => many > 0).join()]);
  return (
    <nav ref={own} aria-label={t.value.shell.nav}>
      {entries.map(({ to, word, many }) => (
        <a key={to} href={href(to)} aria-current={here === to ? (path.value === to ? 'page' : 'true') : undefined}>
          {word}{many > 0 && <span class="bubble">{count(many)}</span>}
        </a>
      ))}
    </nav>
  );
}

function Live() {
  const { phase } = link.value;
  const word = { up: t.value.shell.live, polled: t.value.shell.polled, connecting: t.value.shell.connecting, lost: t.value.shell.lost }[phase];
  const there = phase === 'up' || phase === 'polled';
  return (
    <p class={`live ${there && ill.value ? 'ill' : phase}`} data-testid="live" data-phase={phase}>
      <Shape d={there ? (ill.value ? SHAPES.check : SHAPES.quiet) : phase === 'lost' ? SHAPES.lost : SHAPES.connecting} /> <span>{word}</span>
    </p>
  );
}

function Account({ signOut }: { signOut: () => void }) {
  const box = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      const own = box.current;
      if (!own?.open) return;
      const left = event.type === 'keydown' ? (event as KeyboardEvent).key === 'Escape' : !own.contains(event.target as Node);
      if (!left) return;
      own.open = false;
      if (event.type === 'keydown') own.querySelector('summary')?.focus();
    };
    addEventListener('pointerdown', close);
    addEventListener('keydown', close);
    return () => {
      removeEventListener('pointerdown', close);
      removeEventListener('keydown', close);
    };
  }, []);
  const who = me.value;
  const words = t.value.shell;
  if (!who) return null;
  return (
    <details class="account" ref={box} data-testid="account">
      <summary><span class="visually-hidden">{words.account}: </span><span class="account-name">{who.name}</span></summary>
      <div class="account-box">
        <p><strong>{who.name}</strong><br /><span class="dim">{who.role ? words.role[who.role] ?? who.role : words.machine}{!may('act') && ` · ${words.readOnly}`}</span></p>
        <label>
          <span>{words.languages}</span>
          <select value={language.value} onChange={(event) => setQuery({ lang: event.currentTarget.value })}>
            {Object.entries(dictionaries).map(([key, { shell }]) => <option key={key} value={key} lang={key}>{shell.language}</option>)}
          </select>
        </label>
        <button onClick={() => (helping.value = true)}>{words.keys} <kbd>?</kbd></button>
        {who.kind === 'user' && <button onClick={() => (changingPassword.value = true)}>{words.changePassword}</button>}
        <button onClick={signOut}>{words.signOut}</button>
        {present.value.missed > 0 && <p class="dim">{words.missed(present.value.missed)}</p>}
        <p class="dim">SmartPick {present.value.version}</p>
      </div>
    </details>
  );
}

/** What is shown below may be old, by our fault or by headquarters', and it is said since when. */
export function Stale() {
  const { phase, since } = link.value;
  const { told, outdated } = present.value;
  const words = t.value.shell;
  if (phase !== 'lost' && !outdated) return null;
  return (
    <p class="outdated" role="alert" data-testid="outdated">
      <Shape d={SHAPES.lost} /> {phase === 'lost' ? (told ? words.lostSince(clockSeconds(since)) : words.lostNever) : outdated && words.blindSince(clock(outdated.since, now.peek()), outdated.reason)}
    </p>
  );
}

/** Of which it is said already that nobody can look at the sites. */
const SAID_BY_STALE = 'postgres_unavailable';

/** Headquarters itself is not well: what is shown may be right, and what should come does not. */
export function Ill() {
  const own = ill.value;
  // Without a line nobody knows how it is now.
  if (!own || link.value.phase === 'lost') return null;
  const reasons = own.reasons.filter((_, index) => !present.value.outdated || own.codes[index] !== SAID_BY_STALE);
  if (reasons.length === 0) return null;
  return <p class="outdated" role="alert" data-testid="ill"><Shape d={SHAPES.check} /> {t.value.shell.ill} <span lang="en">{reasons.join('; ')}.</span></p>;
}
