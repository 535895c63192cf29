// Numbers and times as people read them. A time of a site is told in the site's time zone, which is given with it; one
// of headquarters' own in that of whoever reads.

import { numbers, times } from '../../../common/ui/format';
import { locale } from './i18n';

export const here = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

export const { clock, clockSeconds, dated, day, date, time } = times(() => locale.value, () => here);
export const { count, share, amount, about } = numbers(() => locale.value);
export { dayIn, knownZone, score } from '../../../common/ui/format';

/** 42 s, 10 min, 1 h 5 min, 2 d 4 h: never like a time of day. */
export function lasting(milliseconds: number): string {
  const whole = Math.max(0, Math.floor(milliseconds / 1000));
  const [d, h, m] = [Math.floor(whole / 86_400), Math.floor(whole / 3_600) % 24, Math.floor(whole / 60) % 60];
  if (d > 0) return h > 0 ? `${d} d ${h} h` : `${d} d`;
  if (h > 0) return m > 0 ? `${h} h ${m} min` : `${h} h`;
  return m > 0 ? `${m} min` : `${whole} s`;
}

/** Names in the reader's order: 2 before 10, å where it belongs. */
export const byName = (a: string, b: string) => a.localeCompare(b, locale.value, { numeric: true });
