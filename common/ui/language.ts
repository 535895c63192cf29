// Which language: what the URL asks for, else what the browser prefers, else English. One typed dictionary each.

import { computed, signal, type ReadonlySignal, type Signal } from '@preact/signals';

export function choose<L extends string>(dictionaries: Record<L, unknown>, asked: string | null, preferred: readonly string[]): L | 'en' {
  for (const wish of [asked ?? '', ...preferred]) {
    const short = wish.slice(0, 2).toLowerCase();
    if (short in dictionaries) return short as L;
  }
  return 'en';
}

export interface Languages<L extends string, D> {
  language: Signal<L | 'en'>;
  t: ReadonlySignal<D>;
  /** The language with the region the browser knows, so that dates are written as people there write them. */
  locale: ReadonlySignal<string>;
}

export function languages<L extends string, D>(dictionaries: Record<L | 'en', D>): Languages<L, D> {
  const language = signal<L | 'en'>('en');
  return {
    language,
    t: computed(() => dictionaries[language.value]),
    locale: computed(() => navigator.languages.find((tag) => tag.slice(0, 2) === language.value) ?? language.value),
  };
}
