// Headquarters' page in each of its languages. One file for each subject, which has it in all four.

import { languages } from '../../../../common/ui/language';
import { accounts } from './accounts';
import { figures } from './figures';
import { fleet } from './fleet';
import { ledger } from './ledger';
import { rules } from './rules';
import { settings } from './settings';
import { alerts } from './alerts';
import { letters } from './letters';
import { shell } from './shell';
import { site } from './site';

const compose = <L extends 'en' | 'de' | 'es' | 'pl'>(language: L) => ({
  accounts: accounts[language],
  figures: figures[language],
  fleet: fleet[language],
  ledger: ledger[language],
  rules: rules[language],
  settings: settings[language],
  alerts: alerts[language],
  letters: letters[language],
  shell: shell[language],
  site: site[language],
});

export const dictionaries = { en: compose('en'), de: compose('de'), es: compose('es'), pl: compose('pl') };

export type Dictionary = (typeof dictionaries)['en'];

export const { language, t, locale } = languages<keyof typeof dictionaries, Dictionary>(dictionaries);
