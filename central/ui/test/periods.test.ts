// Pairs of periods in the site's days, through changes of the clocks.
import assert from 'node:assert/strict';
import test from 'node:test';
import { asked, pair, previous } from '../src/trends/periods';

const at = (text: string) => Date.parse(text);
const utc = (ms: number) => new Date(ms).toISOString();

test('half a week is held against half a week', () => {
  const { now, before } = pair('week', 'Europe/Berlin', at('2026-11-25T09:30:00Z'));
  assert.deepEqual([utc(now.from), utc(now.to)], ['2026-11-22T23:00:00.000Z', '2026-11-25T09:30:00.000Z']);
  assert.deepEqual([utc(before.from), utc(before.to)], ['2026-11-15T23:00:00.000Z', '2026-11-18T09:30:00.000Z']);
});

test('a week begins on the site’s Monday, whatever day it is elsewhere', () => {
  // Monday in Auckland, still Sunday in Chicago.
  const moment = at('2026-11-22T20:00:00Z');
  assert.equal(utc(pair('week', 'Pacific/Auckland', moment).now.from), '2026-11-22T11:00:00.000Z');
  assert.equal(utc(pair('week', 'America/Chicago', moment).now.from), '2026-11-16T06:00:00.000Z');
});

test('whole weeks are whole weeks of the site, also where the clocks change', () => {
  // Summer time ended on 2026-10-25.
  const { now, before } = pair('last-week', 'Europe/Berlin', at('2026-10-28T09:00:00Z'));
  assert.equal((now.to - now.from) / 3_600_000, 169);
  assert.equal((before.to - before.from) / 3_600_000, 168);
  assert.equal(now.from, before.to);
});

test('today is held against the same hours a week ago', () => {
  const { now, before } = pair('day', 'America/Chicago', at('2026-11-25T17:00:00Z'));
  assert.equal(utc(now.from), '2026-11-25T06:00:00.000Z');
  assert.deepEqual([utc(before.from), utc(before.to)], ['2026-11-18T06:00:00.000Z', '2026-11-18T17:00:00.000Z']);
});

test('the URL says what is held against what', () => {
  const range = { from: at('2026-11-20T00:00:00Z'), to: at('2026-11-22T00:00:00Z') };
  const now = at('2026-11-25T12:00:00Z');
  assert.deepEqual(asked('previous', range, 'UTC', now), { now: range, before: previous(range) });
  assert.equal(utc(previous(range).from), '2026-11-18T00:00:00.000Z');
  assert.deepEqual(asked('last-week', null, 'UTC', now), pair('last-week', 'UTC', now), 'a named pair needs no range');
  const own = asked('2026-11-01T06:00..2026-11-03T06:00', range, 'Europe/Berlin', now);
  assert.equal(own && utc(own.before.from), '2026-11-01T05:00:00.000Z');
  assert.equal(asked('2026-11-03..2026-11-01', range, 'UTC', now), null, 'backwards');
  assert.equal(asked('x..y', range, 'UTC', now), null);
  assert.equal(asked('previous', null, 'UTC', now), null);
});
