// How the whole fleet is, in one of the floor's words: what the icon of the tab shows.

import { computed } from '@preact/signals';
import { ill } from './health';
import { alerts, sites } from './store';

export const mood = computed<'alert' | 'nodata' | 'check' | 'quiet'>(() => {
  for (const { state, subject, silenced } of alerts.value.values()) if (state === 'raised' && subject === 'risk' && !silenced) return 'alert';
  const all = [...sites.value.values()];
  // Nothing known is not fine.
  if (all.every(({ state }) => state === 'unknown' || state === 'offline')) return 'nodata';
  return ill.value || all.some(({ state }) => state !== 'healthy') ? 'check' : 'quiet';
});
