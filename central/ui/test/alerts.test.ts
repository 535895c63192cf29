import assert from 'node:assert/strict';
import test from 'node:test';
import { admits, order, story, type Filter } from '../src/alerts';
import { lines } from '../src/bytes';
import { lasting } from '../src/format';
import { backlogCurve, pieces } from '../src/strip';
import { ago, alert, NOW } from './make';

const silenced = { silence_id: 's', reason: 'training', until: ago(-600) };

test('the list begins with what wants somebody', () => {
  const list = [
    alert({ alert_id: 'over', state: 'cleared', ended_at: ago(5) }), alert({ alert_id: 'silenced', silenced, severity: 'critical' }), alert({ alert_id: 'seen', state: 'acknowledged', severity: 'critical' }),
    alert({ alert_id: 'system', subject: 'system', severity: 'critical' }), alert({ alert_id: 'young', started_at: ago(3) }), alert({ alert_id: 'old' }), alert({ alert_id: 'worst', severity: 'critical', started_at: ago(1) }),
  ];
  assert.deepEqual(list.sort(order).map(({ alert_id }) => alert_id), ['worst', 'old', 'young', 'system', 'seen', 'silenced', 'over']);
});

const all: Filter = { state: 'open', site: '', severity: '', subject: '', q: '' };

test('a filter narrows by each of its parts', () => {
  assert.ok(admits(all, alert(), 'Leipzig Picking'));
  assert.ok(!admits(all, alert({ ended_at: ago(1) }), ''));
  assert.ok(admits({ ...all, state: 'cleared' }, alert({ ended_at: ago(1) }), ''));
  assert.ok(admits({ ...all, state: 'raised' }, alert({ silenced }), ''), 'as the API answers; the row says that it is silenced');
  assert.ok(!admits({ ...all, state: 'raised' }, alert({ state: 'acknowledged' }), ''));
  for (const change of [{ site: 'w2' }, { severity: 'critical' }, { subject: 'system' }, { q: 'rack' }, { state: 'silenced' }, { state: 'acknowledged' }] as const) {
    assert.ok(!admits({ ...all, ...change }, alert(), 'Leipzig Picking'), JSON.stringify(change));
  }
  assert.ok(admits({ ...all, q: ' PICK ' }, alert(), 'Leipzig Picking'));
});

test('what happened is told in the order in which it happened', () => {
  const moments = story(alert({ ended_at: ago(2) }), [{ kind: 'acknowledge', by: 'maria', at: ago(20), note: 'on my way', origin: 'edge' }]);
  assert.deepEqual(moments.map(({ kind }) => kind), ['began', 'raised', 'acknowledge', 'peak', 'over']);
});

const record = (seconds: number, state: 'healthy' | 'offline' | 'degraded') => ({ at: ago(seconds), state, reasons: [state] });

test('states follow each other without gaps, and before the first nothing is known', () => {
  const found = pieces([record(50, 'offline'), record(80, 'healthy'), record(20, 'healthy')], NOW - 100_000, NOW);
  assert.deepEqual(found.map(({ state, from, to }) => [state, (NOW - from) / 1000, (NOW - to) / 1000]), [[null, 100, 80], ['healthy', 80, 50], ['offline', 50, 20], ['healthy', 20, 0]]);
  assert.deepEqual(pieces([], NOW - 1000, NOW).map(({ state }) => state), [null], 'no record is not a healthy one');
});

test('a state from before the range holds at its beginning, one from after it is not in it', () => {
  const found = pieces([record(500, 'degraded'), record(-5, 'offline')], NOW - 100_000, NOW);
  assert.deepEqual(found.map(({ state, from }) => [state, (NOW - from) / 1000]), [['degraded', 100]]);
  assert.equal(pieces([record(60, 'degraded'), record(30, 'degraded')], NOW - 60_000, NOW).length, 1, 'only the reasons changed');
});

test('what waits at a site is the sum of its edges, and silence is a gap', () => {
  const beat = (seconds: number, edge_id: string, backlog: number) => ({ at: ago(seconds), edge_id, live: 1, backlog });
  const { times, waiting } = backlogCurve([beat(2000, 'a', 9), beat(1700, 'b', 4), beat(100, 'a', 0)], 900_000);
  assert.deepEqual(waiting, [10, 15, null, 1]);
  assert.deepEqual(times.map((at) => Math.round((NOW - at) / 1000)), [2000, 1700, 1700, 100]);
});

test('raw bytes are shown in lines of sixteen, with what of them is text', () => {
  const raw = [...'{"risk": 1}\n\u0000 the second line'].map((char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('');
  const [first, second, ...rest] = lines(raw, 10);
  assert.deepEqual([first?.at, first?.text, second?.at, rest.length], ['000000', '{"risk": 1}·· th', '000010', 0]);
  assert.equal(first?.hex, '7b 22 72 69 73 6b 22 3a  20 31 7d 0a 00 20 74 68');
  assert.equal(second?.text, 'e second line');
  assert.equal(lines(raw, 1).length, 1);
});

test('how long something lasts never reads like a time of day', () => {
  assert.deepEqual([-5, 0, 42, 60, 652, 3_600, 3_900, 86_400, 187_200].map((seconds) => lasting(seconds * 1000)), ['0 s', '0 s', '42 s', '1 min', '10 min', '1 h', '1 h 5 min', '1 d', '2 d 4 h']);
});
