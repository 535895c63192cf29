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
  { to: '/trends', word: () => t.value.shell.trends },
  { to: '/completeness', word: () => t.value.shell.completenessPage },
  { to: '/rules', word: () => t.value.shell.rules },
  { to: '/dead-letters', word: () => t.value.shell.deadLetters, number: () => [...sites.value.values()].reduce((sum, site) => sum + site.dead_letters_open, 0) },
  { to: '/users', word: () => t.value.shell.users, needs: 'admin' },
  { to: '/audit', word: () => t.value.shell.audit, needs: 'admin' },
];
