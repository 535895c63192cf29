// Numbers and times as people read them: their language, the site's time zone whatever the device's.

/** The zone, or UTC where the browser does not know it. */
export function knownZone(name: string | null | undefined): string {
  if (!name) return 'UTC';
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return name;
  } catch {
    return 'UTC';
  }
}

const STYLES = {
  time: { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  seconds: { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  date: { weekday: 'short', day: 'numeric', month: 'short' },
  year: { day: 'numeric', month: 'short', year: 'numeric' },
} satisfies Record<string, Intl.DateTimeFormatOptions>;

/** Making one costs more than using it a hundred times, and there are a handful. */
const made = new Map<string, Intl.DateTimeFormat>();

function maker(key: string, locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const full = `${key} ${locale} ${options.timeZone}`;
  let format = made.get(full);
  if (!format) made.set(full, (format = new Intl.DateTimeFormat(locale, options)));
  return format;
}

const ms = (at: number | string) => (typeof at === 'string' ? Date.parse(at) : at);

/** The calendar day of a zone, as 2026-11-25. */
export const dayIn = (zone: string, at: number | string) => maker('day', 'en-CA', { timeZone: zone }).format(ms(at));

/** Words for times. `locale` and `zone` are asked each time, so that what shows them follows a change of either. */
export function times(locale: () => string, zone: () => string) {
  const write = (style: keyof typeof STYLES, at: number | string, own = zone()) =>
    maker(style, locale(), { ...STYLES[style], timeZone: own }).format(ms(at));
  return {
    /** 09:12, with the day before it if that is not today. */
    clock(at: number | string, now: number, own = zone()): string {
      const same = dayIn(own, at) === dayIn(own, now);
      return same ? write('time', at, own) : `${write('date', at, own)}, ${write('time', at, own)}`;
    },
    clockSeconds: (at: number | string, own = zone()) => write('seconds', at, own),
    dated: (at: number | string, own = zone()) => `${write('date', at, own)}, ${write('seconds', at, own)}`,
    /** Wed, 25 Nov */
    day: (at: number | string, own = zone()) => write('date', at, own),
    /** 25 Nov 2026 */
    date: (at: number | string, own = zone()) => write('year', at, own),
    /** 09:12 */
    time: (at: number | string, own = zone()) => write('time', at, own),
  };
}

export function numbers(locale: () => string) {
  const write = (options: Intl.NumberFormatOptions, value: number) => new Intl.NumberFormat(locale(), options).format(value);
  return {
    count: (value: number) => write({ useGrouping: true }, value),
    /** 98.6 % */
    share: (value: number) => write({ style: 'percent', maximumFractionDigits: 1 }, value),
    /** With one digit after the point where it is small. */
    amount: (value: number) => write({ maximumFractionDigits: value < 100 ? 1 : 0 }, value),
    /** "6 days", "14 hours", "20 minutes": whole, and rather less than more. */
    about(amount: number): string {
      const [unit, value] = amount === 3_600 ? ['hour', 1] as const
        : amount >= 172_800 ? ['day', amount / 86_400] as const
        : amount >= 7_200 ? ['hour', amount / 3_600] as const
        : amount >= 120 ? ['minute', amount / 60] as const
        : ['second', amount] as const;
      return write({ style: 'unit', unit, unitDisplay: 'long', maximumFractionDigits: 0 }, Math.floor(value));
    },
  };
}

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
