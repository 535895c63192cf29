import assert from 'node:assert/strict';
import test from 'node:test';
import { carry, nothing } from '../src/present';
import type { Message } from '../src/wire';
import { ago, alert, NOW } from './make';

const snapshot: Message = { type: 'snapshot', run: 'r1', seq: 7, server_time: ago(0), version: '1', alerts: [alert()], snapshots: [], health: null };

test('changes follow a snapshot, and the last seq is known', () => {
  const one = carry(nothing, [snapshot, { type: 'change', seq: 8, topic: 'alerts', alert: alert({ alert_id: 'a2' }) }, { type: 'beat', seq: 9, server_time: ago(0) }], NOW);
  assert.deepEqual([...one.alerts.keys()], ['a1', 'a2']);
  assert.deepEqual([one.run, one.seq, one.version], ['r1', 9, '1']);
});

test('an older view of an alert does not replace a newer one', () => {
  const newer = alert({ revision: 3, state: 'acknowledged' });
  const one = carry(nothing, [snapshot, { type: 'change', seq: 8, topic: 'alerts', alert: newer }, { type: 'change', seq: 9, topic: 'alerts', alert: alert({ revision: 2 }) }], NOW);
  assert.equal(one.alerts.get('a1')?.state, 'acknowledged');
});

test('a new snapshot forgets what it does not name', () => {
  const one = carry(carry(nothing, [snapshot], NOW), [{ ...snapshot, run: 'r2', seq: 1, alerts: [] }], NOW);
  assert.deepEqual([one.alerts.size, one.run, one.seq], [0, 'r2', 1]);
});

test('what was there before a change stays as it was', () => {
  const before = carry(nothing, [snapshot], NOW);
  carry(before, [{ type: 'change', seq: 8, topic: 'alerts', alert: alert({ alert_id: 'a2' }) }], NOW);
  assert.equal(before.alerts.size, 1);
});

test('resuming keeps what is known', () => {
  const one = carry(carry(nothing, [snapshot], NOW), [{ type: 'resumed', run: 'r1', seq: 7 }], NOW);
  assert.deepEqual([one.alerts.size, one.seq], [1, 7]);
});

test('what is over leaves the list after an hour, and open ones never', () => {
  const old = alert({ alert_id: 'old', state: 'cleared', ended_at: ago(3700) });
  const open = alert({ alert_id: 'open', started_at: ago(90_000) });
  const one = carry(nothing, [{ ...snapshot, alerts: [old, open] }], NOW);
  assert.deepEqual([...one.alerts.keys()], ['open']);
});

test('changes that were missed are counted', () => {
  assert.equal(carry(nothing, [{ type: 'missed', count: 4 }, snapshot, { type: 'missed', count: 3 }], NOW).missed, 7);
});
