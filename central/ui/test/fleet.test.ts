import assert from 'node:assert/strict';
import test from 'node:test';
import { findSites } from '../src/find';
import { meant, summary, worstFirst } from '../src/fleet';
import { carry, nothing } from '../src/present';
import { compareValues, readOrder, writeOrder } from '../src/sort';
import type { Message } from '../src/wire';
import { ago, alert, byName, NOW, site } from './make';

const ids = (sites: { warehouse_id: string }[]) => sites.map(({ warehouse_id }) => warehouse_id);

test('the worst site comes first, and of equals the one with people at risk', () => {
  const sites = [
    site({ warehouse_id: 'well' }), site({ warehouse_id: 'new', state: 'unknown' }), site({ warehouse_id: 'degraded', state: 'degraded' }),
    site({ warehouse_id: 'offline', state: 'offline' }), site({ warehouse_id: 'risk', state: 'degraded', alerts_unacknowledged: 2 }),
    site({ warehouse_id: 'lost', state: 'degraded', missing: 4 }), site({ warehouse_id: 'stale', state: 'stale' }),
    site({ warehouse_id: 'next', name: 'Halle 10' }), site({ warehouse_id: 'before', name: 'Halle 9' }),
  ];
  assert.deepEqual(ids(sites.sort(worstFirst(byName))), ['offline', 'stale', 'risk', 'lost', 'degraded', 'new', 'before', 'next', 'well']);
});

test('sites are counted by state and their troubles added up', () => {
  const sum = summary([site(), site({ state: 'offline', backlog: 3, missing: 2 }), site({ state: 'offline', alerts_open: 4, alerts_unacknowledged: 1, dead_letters_open: 5 })]);
  assert.deepEqual(sum.counts, { offline: 2, stale: 0, degraded: 0, unknown: 0, healthy: 1 });
  assert.deepEqual([sum.backlog, sum.missing, sum.alerts, sum.unacknowledged, sum.dead], [3, 2, 4, 1, 5]);
});

test('a site is meant by its state, its name, its id and what is wrong', () => {
  const own = site({ warehouse_id: 'abc', state: 'degraded', reasons: ['camera dock-3 silent'] });
  for (const [state, text] of [['', ''], ['degraded', ''], ['', 'leip'], ['', 'ABC'], ['degraded', 'dock-3']] as const) assert.ok(meant(own, state, text), `${state} ${text}`);
  for (const [state, text] of [['healthy', ''], ['', 'hamburg'], ['healthy', 'leip']] as const) assert.ok(!meant(own, state, text), `${state} ${text}`);
});

test('a few letters find a site, its beginning before its middle', () => {
  const sites = [site({ warehouse_id: '1', name: 'Hamburg Nord' }), site({ warehouse_id: '2', name: 'Nordhausen' }), site({ warehouse_id: '3', name: 'Dornord' }), site({ warehouse_id: 'norm', name: null })];
  assert.deepEqual(ids(findSites(sites, 'nor', byName, 9)), ['2', '1', '3', 'norm']);
  assert.deepEqual(ids(findSites(sites, 'nord', byName, 2)), ['2', '1']);
  assert.equal(findSites(sites, '', byName, 9).length, 4);
});

test('what is not known comes last whichever way it is sorted', () => {
  const sorted = (down: boolean) => [3, null, 1, 2].sort((a, b) => compareValues(a, b, down, byName));
  assert.deepEqual([sorted(false), sorted(true)], [[1, 2, 3, null], [3, 2, 1, null]]);
  assert.deepEqual(['Halle 10', 'halle 9'].sort((a, b) => compareValues(a, b, false, byName)), ['halle 9', 'Halle 10']);
  for (const text of ['backlog', '-backlog']) assert.equal(writeOrder(readOrder(text)!), text);
  assert.equal(readOrder(''), null);
});

const snapshot: Message = { type: 'snapshot', run: 'r', seq: 3, server_time: ago(0), version: '1', sites: [site()], alerts: [alert()], rates: { events_per_second: 9 } };

test('the present is carried over changes, and what is not told is not known', () => {
  assert.ok(!nothing.told);
  const first = carry(nothing, [snapshot], NOW);
  assert.ok(first.told);
  const next = carry(first, [
    { type: 'change', seq: 4, topic: 'sites', site: site({ state: 'offline' }) }, { type: 'change', seq: 5, topic: 'sites', site: site({ warehouse_id: 'w2' }) },
    { type: 'change', seq: 6, topic: 'alerts', alert: alert({ revision: 2, state: 'acknowledged' }) }, { type: 'change', seq: 7, topic: 'alerts', alert: alert({ revision: 1 }) },
    { type: 'change', seq: 8, topic: 'rates', rates: { events_per_second: 11 } }, { type: 'missed', count: 2 },
  ], NOW);
  assert.deepEqual([...next.sites.values()].map(({ state }) => state), ['offline', 'healthy']);
  assert.deepEqual([next.alerts.get('a1')?.state, next.seq, next.rates?.events_per_second, next.missed], ['acknowledged', 8, 11, 2]);
  assert.equal(first.sites.get('w1')?.state, 'healthy', 'what was there before stays as it was');
  assert.equal(carry(next, [{ type: 'change', seq: 9, topic: 'sites', gone: 'w1' }], NOW).sites.size, 1);
  assert.equal(carry(next, [{ ...snapshot, seq: 1, run: 's', sites: [] }], NOW).sites.size, 0, 'a new snapshot forgets what it does not name');
});

test('what headquarters forgets of an alert leaves the list, and that it is blind itself is known until it sees again', () => {
  const first = carry(nothing, [snapshot], NOW);
  const outdated = { since: ago(90), reason: 'the database cannot be used' };
  const blind = carry(first, [{ type: 'change', seq: 4, topic: 'alerts', gone: 'a1' }, { type: 'change', seq: 5, topic: 'rates', rates: { events_per_second: 0, outdated } }], NOW);
  assert.deepEqual([blind.alerts.size, blind.outdated], [0, outdated]);
  assert.equal(carry(blind, [{ type: 'change', seq: 6, topic: 'rates', rates: { events_per_second: 3, outdated: null } }], NOW).outdated, null);
  assert.equal(carry(nothing, [{ ...snapshot, rates: null }], NOW).rates, null);
});

test('an alert that is over leaves the live list after a while', () => {
  const over = (seconds: number) => carry(nothing, [{ ...snapshot, alerts: [alert({ state: 'cleared', ended_at: ago(seconds) })] }], NOW).alerts.size;
  assert.deepEqual([over(30), over(700)], [1, 0]);
});
