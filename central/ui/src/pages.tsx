// The views, by their paths. The first that fits is shown.

import { computed } from '@preact/signals';
import type { ComponentType } from 'preact';
import { t } from './i18n';
import { match, type Params } from './match';
import { Fleet } from './pages/Fleet';
import { path } from './route';
import type { Scope } from './wire';

export interface Page {
  path: string;
  view: ComponentType<{ params: Params }>;
  /** For the tab and the history of the browser. */
  title: (params: Params) => string;
  /** Without it the view says that the role is not enough, and nothing leads to it. */
  needs?: Scope;
  /** It is in the navigation, under this path; views below one share its entry. */
  nav?: string;
}

export const PAGES: readonly Page[] = [
  { path: '/', view: Fleet, title: () => t.value.shell.fleet, nav: '/' },
];

export const current = computed<{ page: Page; params: Params } | null>(() => {
  for (const page of PAGES) {
    const params = match(page.path, path.value);
    if (params) return { page, params };
  }
  return null;
});
