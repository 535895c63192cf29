// What the hands are at: the alert that keys act on, and what lies over the page.

import { computed, signal } from '@preact/signals';
import { matches, order } from './derive';
import { filter, view } from './route';
import { alerts } from './store';
import type { Alert } from './wire';
import { searchable } from './words';

/** Chosen by keys. */
export const chosen = signal<string | null>(null);
export const selected = computed(() => (view.value.name === 'alert' ? view.value.id : chosen.value));
/** The alert being silenced. */
export const silencing = signal<Alert | null>(null);
export const helping = signal(false);

/** Older ones, asked for. */
export const history = signal<{ alerts: Alert[]; next: string | null; query: string }>({ alerts: [], next: null, query: '' });

export const listed = computed(() => {
  const all = new Map(history.value.alerts.map((alert) => [alert.alert_id, alert]));
  for (const [id, alert] of alerts.value) all.set(id, alert);
  return [...all.values()].filter((alert) => matches(alert, filter.value, searchable)).sort(order);
});
