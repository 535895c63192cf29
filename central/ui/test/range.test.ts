import assert from 'node:assert/strict';
import test from 'node:test';
import { dayStart, instant, lastShift, parseLocal, resolve, writeLocal, type Shift } from '../src/range';

const ZONE = 'Europe/Berlin';
const utc = (text: string) => Date.parse(`${text}Z`);
const local = (text: string) => Date.parse(`${text}Z`);
const iso = (at: number) => new Date(at).toISOString().slice(0, 16);

test('a zone’s clock is read through both its changes', () => {
  assert.equal(iso(instant(ZONE, local('2026-11-25T06:00'))), '2026-11-25T05:00');
  assert.equal(iso(instant(ZONE, local('2026-07-01T06:00'))), '2026-07-01T04:00');
  // Shown twice: the first time. Skipped: as the clock before would have gone on.
  assert.equal(iso(instant(ZONE, local('2026-10-25T02:30'))), '2026-10-25T00:30');
  assert.equal(iso(instant(ZONE, local('2026-03-29T02:30'))), '2026-03-29T01:30');
  assert.equal(iso(instant('America/New_York', local('2026-11-01T01:30'))), '2026-11-01T05:30');
  assert.equal(iso(instant('Asia/Kolkata', local('2026-11-25T00:00'))), '2026-11-24T18:30');
});

test('a day may have 23 or 25 hours', () => {
  const hours = (day: string) => (dayStart(ZONE, utc(`${day}T12:00`), 1) - dayStart(ZONE, utc(`${day}T12:00`))) / 3_600_000;
  assert.deepEqual(['2026-03-29', '2026-10-25', '2026-11-25'].map(hours), [23, 25, 24]);
  // Where midnight itself is skipped the day begins at one.
  assert.equal(iso(dayStart('America/Santiago', utc('2026-09-06T12:00'))), '2026-09-06T04:00');
});

const asked = (preset: 'today' | 'yesterday' | '7d' | 'last-shift') => ({ preset, from: '', to: '' });

test('presets are days of the site, not of the reader', () => {
  const now = utc('2026-11-25T23:30');
  const today = resolve(asked('today'), ZONE, [], now)!;
  // In Berlin it is already the 26th.
  assert.deepEqual([iso(today.from), iso(today.to)], ['2026-11-25T23:00', '2026-11-25T23:31']);
  const yesterday = resolve(asked('yesterday'), ZONE, [], now)!;
  assert.deepEqual([iso(yesterday.from), iso(yesterday.to)], ['2026-11-24T23:00', '2026-11-25T23:00']);
  assert.equal(iso(resolve(asked('7d'), ZONE, [], now)!.from), '2026-11-19T23:00');
});

const shifts: Shift[] = [
  { name: 'early', days: ['mon', 'tue', 'wed', 'thu', 'fri'], start: '06:00', end: '14:00' },
  { name: 'night', days: ['mon', 'tue', 'wed', 'thu', 'fri'], start: '22:00', end: '06:00' },
];

test('the last shift is the one that ended last, over midnight and a weekend', () => {
  const last = (now: string) => {
    const found = lastShift(ZONE, shifts, utc(now))!;
    return [found.name, iso(found.from), iso(found.to)];
  };
  assert.deepEqual(last('2026-11-25T10:00'), ['night', '2026-11-24T21:00', '2026-11-25T05:00']);
  assert.deepEqual(last('2026-11-25T13:00'), ['early', '2026-11-25T05:00', '2026-11-25T13:00']);
  assert.deepEqual(last('2026-11-23T03:00'), ['night', '2026-11-20T21:00', '2026-11-21T05:00']);
  assert.equal(lastShift(ZONE, [], utc('2026-11-25T10:00')), null);
  assert.equal(resolve(asked('last-shift'), ZONE, [], 0), null);
});

test('a custom range is what the site’s clocks show, a day alone is the whole of it, and backwards is none', () => {
  const custom = (from: string, to: string) => {
    const range = resolve({ preset: 'custom', from, to }, ZONE, [], 0);
    return range && [iso(range.from), iso(range.to)];
  };
  assert.deepEqual(custom('2026-11-01T06:00', '2026-11-01T14:00'), ['2026-11-01T05:00', '2026-11-01T13:00']);
  assert.deepEqual(custom('2026-11-01', '2026-11-02'), ['2026-10-31T23:00', '2026-11-02T23:00']);
  for (const [from, to] of [['2026-11-02', '2026-11-01'], ['', ''], ['2026-02-30', '2026-03-02'], ['now', '2026-11-01'], ['2026-11-01T25:00', '2026-11-03']] as const) {
    assert.equal(custom(from, to), null, `${from} ${to}`);
  }
  const at = utc('2026-11-25T05:17');
  assert.equal(parseLocal(ZONE, writeLocal(ZONE, at)), at);
});
