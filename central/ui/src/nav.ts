// What the header leads to.

import { t } from './i18n';
import { sites, alerts } from './store';
import type { Scope } from './wire';

interface Entry {
  to: string;
  word: () => string;
  needs?: Scope;
  /** Of what waits for somebody. */
  number?: () => number;
}

export const NAV: readonly Entry[] = [
  { to: '/', word: () => t.value.shell.fleet },
  { to: '/alerts', word: () => t.value.shell.alerts, number: () => [...alerts.value.values()].filter(({ state, silenced }) => state === 'raised' && !silenced).length },
  { to: '/dead-letters', word: () => t.value.shell.deadLetters, number: () => [...sites.value.values()].reduce((sum, site) => sum + site.dead_letters_open, 0) },
];
