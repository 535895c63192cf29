// Which language: what the URL asks for, else what the browser prefers, else English. One typed dictionary each.

import { computed, signal } from '@preact/signals';
import { de } from './de';
import { en, type Dictionary } from './en';
import { es } from './es';
import { pl } from './pl';

export const dictionaries = { en, de, es, pl } satisfies Record<string, Dictionary>;
export type Language = keyof typeof dictionaries;

export function choose(asked: string | null, preferred: readonly string[]): Language {
  for (const wish of [asked ?? '', ...preferred]) {
    const short = wish.slice(0, 2).toLowerCase();
    if (short in dictionaries) return short as Language;
  }
  return 'en';
}

export const language = signal<Language>('en');
export const t = computed<Dictionary>(() => dictionaries[language.value]);

/** The language with the region the browser knows, so that dates are written as people there write them. */
export const locale = computed(() => navigator.languages.find((tag) => tag.slice(0, 2) === language.value) ?? language.value);

export type { Dictionary };
