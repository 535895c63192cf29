// From anywhere to a site by a few letters of its name.

import { useSignal } from '@preact/signals';
import { findSites } from '../find';
import { byName } from '../format';
import { t } from '../i18n';
import { go, href } from '../route';
import { sites } from '../store';
import type { SiteRow } from '../wire';
import { StateShape, stateWord } from './Badge';

/** More are not read; another letter finds the one. */
const SHOWN = 8;
/** The types know a combobox only with a list of the browser's own. */
const COMBOBOX = { type: 'search', role: 'combobox' } as object;

export function SiteSearch() {
  const [text, open, at] = [useSignal(''), useSignal(false), useSignal(0)];
  const words = t.value.shell;
  const found = open.value ? findSites(sites.value.values(), text.value, byName, SHOWN) : [];
  const choose = (site: SiteRow | undefined) => {
    if (!site) return;
    [text.value, open.value] = ['', false];
    (document.activeElement as HTMLElement | null)?.blur();
    go(href(`/sites/${site.warehouse_id}`));
  };
  const key = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      open.value = true;
      if (found.length > 0) at.value = (at.value + step + found.length) % found.length;
    } else if (event.key === 'Enter') {
      event.preventDefault();
      choose(found[at.value]);
    } else if (event.key === 'Escape') {
      [text.value, open.value] = ['', false];
    }
  };
  return (
    <div class="find" role="search">
      <input id="find" {...COMBOBOX} autocomplete="off" aria-label={words.find} placeholder={words.find}
        aria-expanded={open.value} aria-controls="find-list" aria-autocomplete="list"
        aria-activedescendant={found[at.value] ? `find-${found[at.value]!.warehouse_id}` : undefined}
        value={text.value} onKeyDown={key}
        onFocus={() => (open.value = true)} onBlur={() => (open.value = false)}
        onInput={(event) => ([text.value, at.value, open.value] = [event.currentTarget.value, 0, true])} />
      <kbd aria-hidden="true">/</kbd>
      <ul id="find-list" role="listbox" aria-label={words.find} hidden={!open.value}>
        {found.map((site, index) => (
          // Pressed, not clicked: the field loses the focus before a click is done.
          <li key={site.warehouse_id} id={`find-${site.warehouse_id}`} role="option" aria-selected={index === at.value}
            onMouseDown={(event) => (event.preventDefault(), choose(site))}>
            <span class={`badge ${site.state}`}><StateShape state={site.state} /><span class="visually-hidden">{stateWord(site.state)}</span></span>
            <span>{site.name ?? site.warehouse_id}</span>
          </li>
        ))}
      </ul>
      {open.value && found.length === 0 && text.value && <p class="find-none" role="status">{words.findNone}</p>}
    </div>
  );
}
