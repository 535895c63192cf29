// Numbers and times as people on this site read them: their language, the site's time zone whatever the device's.

import { computed } from '@preact/signals';
import { locale } from './i18n';
import { site } from './store';

const zone = computed(() => {
  const name = site.value?.time_zone;
  try {
    // Throws where the browser does not know the zone.
    new Intl.DateTimeFormat('en', { timeZone: name });
    return name;
  } catch {
    return 'UTC';
  }
});

const time = computed(() => new Intl.DateTimeFormat(locale.value, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: zone.value }));
const seconds = computed(() => new Intl.DateTimeFormat(locale.value, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZone: zone.value }));
const date = computed(() => new Intl.DateTimeFormat(locale.value, { weekday: 'short', day: 'numeric', month: 'short', timeZone: zone.value }));
const day = computed(() => new Intl.DateTimeFormat('en-CA', { timeZone: zone.value }));
const number = computed(() => new Intl.NumberFormat(locale.value, { useGrouping: true }));
const percent = computed(() => new Intl.NumberFormat(locale.value, { style: 'percent', maximumFractionDigits: 1 }));

const ms = (at: number | string) => (typeof at === 'string' ? Date.parse(at) : at);

/** 09:12, with the day before it if that is not today. */
export function clock(at: number | string, now: number): string {
  const when = ms(at);
  const same = day.value.format(when) === day.value.format(now);
  return same ? time.value.format(when) : `${date.value.format(when)}, ${time.value.format(when)}`;
}

export const clockSeconds = (at: number | string) => seconds.value.format(ms(at));
export const dated = (at: number | string) => `${date.value.format(ms(at))}, ${seconds.value.format(ms(at))}`;
export const count = (value: number) => number.value.format(value);
export const share = (value: number) => percent.value.format(value);
export const score = (value: number | null) => (value === null ? '–' : String(Math.round(value)));

/** 0:42, 12:05, 3 h 05 min, 2 d 4 h. */
export function age(milliseconds: number): string {
  const whole = Math.max(0, Math.floor(milliseconds / 1000));
  const [d, h, m, s] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  if (d > 0) return `${d} d ${h} h`;
  if (h > 0) return `${h} h ${two(m)} min`;
  return `${m}:${two(s)}`;
}

/** "6 days", "14 hours", "20 minutes": whole, and rather less than more. */
export function about(amount: number): string {
  const [unit, value] = amount === 3_600 ? ['hour', 1] as const
    : amount >= 172_800 ? ['day', amount / 86_400] as const
    : amount >= 7_200 ? ['hour', amount / 3_600] as const
    : amount >= 120 ? ['minute', amount / 60] as const
    : ['second', amount] as const;
  return new Intl.NumberFormat(locale.value, { style: 'unit', unit, unitDisplay: 'long', maximumFractionDigits: 0 }).format(Math.floor(value));
}
