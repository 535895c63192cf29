// The views, by their paths. The first that fits is shown.

import { computed } from '@preact/signals';
import type { ComponentType } from 'preact';
import { AuditPage } from './admin/AuditPage';
import { UsersPage } from './admin/UsersPage';
import { CompletenessPage } from './completeness/CompletenessPage';
import { t } from './i18n';
import { match, type Params } from './match';
import { AlertPage } from './pages/AlertDetail';
import { Alerts } from './pages/Alerts';
import { DeadLetters } from './pages/DeadLetters';
import { Fleet } from './pages/Fleet';
import { Silences } from './pages/Silences';
import { SitePage } from './pages/Site';
import { CameraPage, ZonePage } from './pages/Zone';
import { path } from './route';
import { RulesPage } from './rules/RulesPage';
import { SettingsPage } from './rules/SettingsPage';
import { SiteRulesPage } from './rules/SiteRulesPage';
import { siteName } from './store';
import { TrendsPage } from './trends/TrendsPage';
import { cameraName, zoneName } from './settings';
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
  { path: '/sites/{site}/settings', view: SettingsPage, title: ({ site }) => `${t.value.settings.title}: ${siteName(site!)}`, nav: '/' },
  { path: '/trends', view: TrendsPage, title: () => t.value.figures.title, nav: '/trends' },
  { path: '/completeness', view: CompletenessPage, title: () => t.value.ledger.title, nav: '/completeness' },
  { path: '/rules', view: RulesPage, title: () => t.value.rules.title, nav: '/rules' },
  { path: '/rules/{site}', view: SiteRulesPage, title: ({ site }) => `${t.value.rules.title}: ${siteName(site!)}`, nav: '/rules' },
  { path: '/users', view: UsersPage, title: () => t.value.accounts.title, needs: 'admin', nav: '/users' },
  { path: '/audit', view: AuditPage, title: () => t.value.accounts.audit.title, needs: 'admin', nav: '/audit' },
  { path: '/sites/{site}', view: SitePage, title: ({ site }) => siteName(site!), nav: '/' },
  { path: '/sites/{site}/zones/{zone}', view: ZonePage, title: ({ site, zone }) => `${zoneName(site!, zone!)} · ${siteName(site!)}`, nav: '/' },
  { path: '/sites/{site}/cameras/{camera}', view: CameraPage, title: ({ site, camera }) => `${cameraName(site!, camera!)} · ${siteName(site!)}`, nav: '/' },
  { path: '/alerts', view: Alerts, title: () => t.value.shell.alerts, nav: '/alerts' },
  { path: '/alerts/{alert}', view: AlertPage, title: () => t.value.alerts.one, nav: '/alerts' },
  { path: '/silences', view: Silences, title: () => t.value.shell.silences, nav: '/alerts' },
  { path: '/dead-letters', view: DeadLetters, title: () => t.value.shell.deadLetters, nav: '/dead-letters' },
];

export const current = computed<{ page: Page; params: Params } | null>(() => {
  for (const page of PAGES) {
    const params = match(page.path, path.value);
    if (params) return { page, params };
  }
  return null;
});
