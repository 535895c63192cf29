// Where we are: path, filter and mode live in the URL, so that a view can be sent, kept and reloaded.

import { batch, computed, signal } from '@preact/signals';
import { unfiltered, type Filter } from './derive';

const url = signal(new URL(location.href));

export type View = { name: 'alerts' } | { name: 'alert'; id: string } | { name: 'shift' } | { name: 'silences' };

export const view = computed<View>(() => {
  const [, first, second] = url.value.pathname.split('/');
  if (first === 'alerts' && second) return { name: 'alert', id: decodeURIComponent(second) };
  if (first === 'shift' || first === 'silences') return { name: first };
  return { name: 'alerts' };
});

const has = (name: string) => url.value.searchParams.has(name);

/** A screen on its own: read-only token, no pointer. */
export const kiosk = computed(() => has('kiosk'));
/** Dark, big, nothing to press. */
export const wall = computed(() => has('wall') || kiosk.value);
export const asked = computed(() => url.value.searchParams.get('lang'));

const STATES: readonly string[] = ['open', 'raised', 'acknowledged', 'cleared', 'silenced', 'all'];

export const filter = computed<Filter>(() => {
  const read = { ...unfiltered };
  for (const key of Object.keys(unfiltered) as (keyof Filter)[]) {
    const value = url.value.searchParams.get(key);
    if (value !== null && (key !== 'state' || STATES.includes(value))) (read as Record<string, string>)[key] = value;
  }
  return read;
});

/** Changes the filter without making a step of history of each letter. */
export function setFilter(change: Partial<Filter>): void {
  const next = new URL(url.value);
  for (const [key, value] of Object.entries(change)) {
    if (value === unfiltered[key as keyof Filter]) next.searchParams.delete(key);
    else next.searchParams.set(key, value);
  }
  history.replaceState(null, '', next);
  url.value = next;
}

/** A path of ours with mode, language and filter as they are. */
export function href(path: string): string {
  return path + url.value.search;
}

export function go(path: string): void {
  history.pushState(null, '', href(path));
  batch(() => (url.value = new URL(location.href)));
  scrollTo(0, 0);
}

addEventListener('popstate', () => (url.value = new URL(location.href)));

/** A token in the fragment never reaches a server's log; here it is taken, and wiped from the address bar. */
export function takeToken(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) return null;
  const clean = new URL(location.href);
  clean.hash = '';
  history.replaceState(null, '', clean);
  url.value = clean;
  return token;
}
