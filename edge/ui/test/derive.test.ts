import assert from 'node:assert/strict';
import test from 'node:test';
import { audible, headline, matches, order, unfiltered, zonesNow, type Link } from '../src/derive';
import type { Alert } from '../src/wire';
import { ago, alert, NOW, present, silenced, site } from './make';

const up: Link = { phase: 'up', since: NOW };
const both = { z1: 1, z2: 1 };

function head(heard: Record<string, number>, alerts: Alert[] = [], link = up) {
  const own = present(heard, alerts);
  return headline(link, own, zonesNow(own, site, NOW));
}

test('quiet, no data and connection lost are never merged', () => {
  assert.equal(head(both).kind, 'quiet');
  assert.equal(head({ z1: 61, z2: 75 }).kind, 'nodata');
  assert.equal(head({ z1: 61, z2: 75 }).since, NOW - 61_000, 'since the last that was heard');
  assert.equal(head({}).kind, 'nodata');
  assert.equal(head({}).since, null);
  assert.equal(head(both, [], { phase: 'lost', since: 5 }).kind, 'lost');
  assert.equal(head(both, [alert()], { phase: 'lost', since: 5 }).kind, 'lost', 'nothing is known without a link');
  assert.equal(head(both, [], { phase: 'connecting', since: 5 }).kind, 'connecting');
});

test('a single blind zone is not quiet', () => {
  const own = head({ z1: 1, z2: 90 });
  assert.equal(own.kind, 'check');
  assert.deepEqual(own.zones, ['Receiving']);
});

test('an alert says where and for how long, and goes on when somebody sees to it', () => {
  const other = alert({ alert_id: 'a2', zone_id: 'z2', started_at: ago(7), severity: 'critical' });
  const own = head(both, [alert(), other]);
  assert.equal(own.kind, 'alert');
  assert.deepEqual(own.zones, ['Picking', 'Receiving']);
  assert.equal(own.since, NOW - 42_000);
  assert.equal(own.worst, 'critical');
  assert.equal(own.seen, false);
  const seen = head(both, [alert({ state: 'acknowledged' })]);
  assert.deepEqual([seen.kind, seen.seen], ['alert', true]);
  const mixed = head(both, [alert({ state: 'acknowledged' }), other]);
  assert.deepEqual([mixed.seen, mixed.zones], [false, ['Receiving']], 'what nobody sees to is named');
});

test('what is silenced makes no alarm and is still counted', () => {
  const own = head(both, [alert({ silenced })]);
  assert.deepEqual([own.kind, own.silenced], ['quiet', 1]);
});

test('trouble with SmartPick itself is neither an alert about people nor quiet', () => {
  const wan = alert({ subject: 'system', rule: 'wan-down', zone_id: null });
  assert.deepEqual([head(both, [wan]).kind, head(both, [wan]).rules], ['check', ['wan-down']]);
  assert.equal(head(both, [{ ...wan, state: 'acknowledged' }]).kind, 'quiet');
  assert.equal(head(both, [wan, alert()]).kind, 'alert');
  assert.equal(head({}, [wan]).kind, 'nodata');
});

test('quiet since the last alert went', () => {
  assert.equal(head(both, [alert({ state: 'cleared', ended_at: ago(300) })]).since, NOW - 300_000);
  assert.equal(head(both).since, null);
});

test('it is heard until somebody sees to it', () => {
  assert.ok(audible(alert()));
  for (const change of [{ state: 'acknowledged' }, { state: 'cleared' }, { silenced }, { late: true }, { severity: 'notice' }, { subject: 'system' }] as Partial<Alert>[]) {
    assert.ok(!audible(alert(change)), JSON.stringify(change));
  }
  assert.ok(audible(alert({ subject: 'system', severity: 'critical' })));
});

test('an old score is not risk now', () => {
  assert.equal(zonesNow(present({ z1: 5 }), site, NOW)[0]!.risk, 33);
  assert.equal(zonesNow(present({ z1: 11 }), site, NOW)[0]!.risk, null);
  assert.equal(zonesNow(present({ z1: 11 }), site, NOW)[0]!.nodata, false);
});

test('the list begins with what wants somebody', () => {
  const list = [
    alert({ alert_id: 'over', state: 'cleared', ended_at: ago(5) }), alert({ alert_id: 'silenced', silenced, severity: 'critical' }),
    alert({ alert_id: 'seen', state: 'acknowledged', severity: 'critical' }), alert({ alert_id: 'system', subject: 'system', severity: 'critical' }),
    alert({ alert_id: 'young', started_at: ago(3) }), alert({ alert_id: 'old' }), alert({ alert_id: 'worst', severity: 'critical', started_at: ago(1) }),
  ];
  assert.deepEqual(list.sort(order).map(({ alert_id }) => alert_id), ['worst', 'old', 'young', 'system', 'seen', 'silenced', 'over']);
});

test('a filter narrows by each of its parts', () => {
  const text = () => 'Picking c1';
  assert.ok(matches(alert(), unfiltered, text));
  assert.ok(!matches(alert({ state: 'cleared' }), unfiltered, text));
  assert.ok(matches(alert({ state: 'cleared' }), { ...unfiltered, state: 'cleared' }, text));
  for (const change of [{ zone: 'z9' }, { camera: 'c9' }, { severity: 'critical' }, { subject: 'system' }, { q: 'rack' }, { state: 'silenced' }] as const) {
    assert.ok(!matches(alert(), { ...unfiltered, ...change }, text), JSON.stringify(change));
  }
  assert.ok(matches(alert(), { ...unfiltered, q: ' pick' }, text));
});
