// Helpers of the dictionaries: how each language counts and says how long something takes.

import { numbers } from '../../../../common/ui/format';
import { plural } from '../../../../common/ui/plural';

const words = (language: string) => ({ n: plural(language), about: numbers(() => language).about });

export const counting = { en: words('en'), de: words('de'), es: words('es'), pl: words('pl') };
