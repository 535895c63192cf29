// The supervisors' page in each of its languages.

import { languages } from '../../../../common/ui/language';
import { de } from './de';
import { en, type Dictionary } from './en';
import { es } from './es';
import { pl } from './pl';

export const dictionaries = { en, de, es, pl } satisfies Record<string, Dictionary>;

export const { language, t, locale } = languages<keyof typeof dictionaries, Dictionary>(dictionaries);

export type { Dictionary };
