// Numbers and times as people read them. A time of a site is told in the site's time zone, which is given with it; one
// of headquarters' own in that of whoever reads.

import { numbers, times } from '../../../common/ui/format';
import { locale } from './i18n';

export const here = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

export const { clock, clockSeconds, dated, day, date, time } = times(() => locale.value, () => here);
export const { count, share, amount, about } = numbers(() => locale.value);
export { age, dayIn, knownZone, score } from '../../../common/ui/format';

/** Names in the reader's order: 2 before 10, å where it belongs. */
export const byName = (a: string, b: string) => a.localeCompare(b, locale.value, { numeric: true });
