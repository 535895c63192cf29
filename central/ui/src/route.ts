// Where we are. Every view is a URL, path and query, so that it can be sent, kept, reloaded, and gone back to.

import { batch, computed, signal } from '@preact/signals';

const url = signal(new URL(location.href));

export const path = computed(() => url.value.pathname);
export const query = computed(() => url.value.searchParams);
/** The language that the URL asks for. */
export const asked = computed(() => query.value.get('lang'));

/** One value of the query; where it is not one of `allowed` it is as good as absent. */
export function param<T extends string>(name: string, fallback: T, allowed?: readonly T[]): T {
  const value = query.value.get(name) as T | null;
  return value === null || (allowed && !allowed.includes(value)) ? fallback : value;
}

/**
 * Changes the query. What is empty leaves the URL. A step of history is made only if asked for: nobody wants to go back
 * through each letter of a search.
 */
export function setQuery(change: Record<string, string | null>, push = false): void {
  const next = new URL(url.value);
  for (const [name, value] of Object.entries(change)) {
    if (value === null || value === '') next.searchParams.delete(name);
    else next.searchParams.set(name, value);
  }
  if (next.href === url.value.href) return;
  if (push) history.pushState(null, '', next);
  else history.replaceState(null, '', next);
  url.value = next;
}

/** A path of ours with what is asked of it; the language stays as it is, filters of another view do not. */
export function href(to: string, ask: Record<string, string | null | undefined> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(ask)) if (value) search.set(name, value);
  if (asked.value) search.set('lang', asked.value);
  const text = search.toString();
  return text ? `${to}?${text}` : to;
}

export function go(to: string): void {
  if (to === url.value.pathname + url.value.search) return;
  history.pushState(null, '', to);
  batch(() => (url.value = new URL(location.href)));
  scrollTo(0, 0);
}

addEventListener('popstate', () => (url.value = new URL(location.href)));

/** Follows a link of ours without loading the page again; every other click is the browser's. */
addEventListener('click', (event) => {
  if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
  const link = (event.target as Element).closest?.('a[href]') as HTMLAnchorElement | null;
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (link.pathname.startsWith('/api/') || link.getAttribute('href')?.startsWith('#')) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
