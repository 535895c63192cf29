// From when to when. Chosen in the site's own time zone, through all changes of its clocks; in the URL. Pure.

export interface Shift {
  name: string;
  days: string[];
  /** 06:00 */
  start: string;
  /** 14:00; not after `start` means on the next day. */
  end: string;
}

export const PRESETS = ['today', 'yesterday', 'last-shift', '7d', '28d', '90d', 'custom'] as const;
export type Preset = (typeof PRESETS)[number];

/** Instants, ms; `to` is the first that is not in it. */
export interface Range {
  from: number;
  to: number;
}

const MINUTE = 60_000;
const DAY = 86_400_000;
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const clocks = new Map<string, Intl.DateTimeFormat>();

/** What a zone's clock shows, as if that were UTC, ms. */
function shown(zone: string, at: number): number {
  let clock = clocks.get(zone);
  if (!clock) {
    clock = new Intl.DateTimeFormat('en-CA', {
      timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
    });
    clocks.set(zone, clock);
  }
  const part = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute, part.second);
}

const offset = (zone: string, at: number) => shown(zone, at) - Math.floor(at / 1000) * 1000;

/**
 * When a zone's clock shows `local` (written as if it were UTC, ms). What it shows twice is meant the first time; what it
 * skips is meant as the clock before the change would have gone on.
 */
export function instant(zone: string, local: number): number {
  const before = offset(zone, local - DAY);
  const candidates = [before, offset(zone, local + DAY)].map((own) => local - own);
  const real = candidates.filter((at) => shown(zone, at) === local);
  return real.length > 0 ? Math.min(...real) : local - before;
}

const midnight = (local: number) => Math.floor(local / DAY) * DAY;

/** The start of the zone's day `days` after that of `at`. */
export const dayStart = (zone: string, at: number, days = 0) => instant(zone, midnight(shown(zone, at)) + days * DAY);

function minutes(text: string): number {
  const [hours, rest] = text.split(':').map(Number);
  return ((hours ?? 0) * 60 + (rest ?? 0)) * MINUTE;
}

/** The shift that ended last. */
export function lastShift(zone: string, shifts: readonly Shift[], now: number): (Range & { name: string }) | null {
  let last: (Range & { name: string }) | null = null;
  const today = midnight(shown(zone, now));
  // A week and a day back finds one of each shift there is.
  for (let back = 0; back <= 8; back += 1) {
    const day = today - back * DAY;
    const name = DAYS[new Date(day).getUTCDay()]!;
    for (const shift of shifts) {
      if (!shift.days.includes(name)) continue;
      const [start, end] = [minutes(shift.start), minutes(shift.end)];
      const range = { name: shift.name, from: instant(zone, day + start), to: instant(zone, day + end + (end <= start ? DAY : 0)) };
      if (range.to <= now && (last === null || range.to > last.to)) last = range;
    }
  }
  return last;
}

/** 2026-11-25T06:00, or only the day, in the zone; `null` if it is neither. */
export function parseLocal(zone: string, text: string): number | null {
  const found = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d))?$/.exec(text);
  if (!found) return null;
  const [year, month, day, hour, minute] = found.slice(1).map((part) => Number(part ?? 0));
  const local = Date.UTC(year!, month! - 1, day, hour, minute);
  // The 31st of February is not the 3rd of March.
  if (new Date(local).getUTCDate() !== day || hour! > 23 || minute! > 59) return null;
  return instant(zone, local);
}

/** As `parseLocal` reads it. */
export const writeLocal = (zone: string, at: number) => new Date(shown(zone, at)).toISOString().slice(0, 16);

export interface Asked {
  preset: Preset;
  /** Of `custom`, as the URL has them. */
  from: string;
  to: string;
}

/** What is asked for, as instants; `null` where that is no range: a custom one that is backwards, a site without shifts. */
export function resolve(asked: Asked, zone: string, shifts: readonly Shift[], now: number): Range | null {
  // To the end of this minute, so that what is happening is in it.
  const soon = Math.ceil((now + 1) / MINUTE) * MINUTE;
  const days = { '7d': 7, '28d': 28, '90d': 90 } as const;
  switch (asked.preset) {
    case 'today':
      return { from: dayStart(zone, now), to: soon };
    case 'yesterday':
      return { from: dayStart(zone, now, -1), to: dayStart(zone, now) };
    case 'last-shift': {
      const last = lastShift(zone, shifts, now);
      return last && { from: last.from, to: last.to };
    }
    case 'custom': {
      const [from, to] = [parseLocal(zone, asked.from), parseLocal(zone, asked.to)];
      if (from === null || to === null) return null;
      // A day alone means the whole of it.
      const end = asked.to.includes('T') ? to : dayStart(zone, to, 1);
      return end > from ? { from, to: end } : null;
    }
    default:
      return { from: dayStart(zone, now, 1 - days[asked.preset]), to: soon };
  }
}
