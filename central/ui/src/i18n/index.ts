// Headquarters' page in each of its languages. One file for each subject, which has it in all four.

import { languages } from '../../../../common/ui/language';
import { fleet } from './fleet';
import { shell } from './shell';

const compose = <L extends 'en' | 'de' | 'es' | 'pl'>(language: L) => ({
  fleet: fleet[language],
  shell: shell[language],
});

export const dictionaries = { en: compose('en'), de: compose('de'), es: compose('es'), pl: compose('pl') };

export type Dictionary = (typeof dictionaries)['en'];

export const { language, t, locale } = languages<keyof typeof dictionaries, Dictionary>(dictionaries);
