// Figures, trends and comparisons: what is not known never looks like nothing at risk.
import assert from 'node:assert/strict';
import test from 'node:test';
import { neverKnown, tally } from '../src/completeness/tally';
import { caution, compare } from '../src/trends/verdict';
import { atRisk, known, measure, step, STEPS } from '../src/trends/figures';
import { moved, rows } from '../src/trends/grid';
import { bars } from '../src/trends/histogram';
import { holes, series, shareTop } from '../src/trends/series';
import type { Bucket, Figures, HeatMap } from '../src/trends/wire';

const figures = (change: Partial<Figures> = {}): Figures => ({
  events: 1000, mean: 41, max: 92, p50: 40, p90: 66, p95: 72, seconds_observed: 3600, seconds_at_risk: 180, coverage: 0.9, people: 12, suppressed: false, ...change,
});
const nothing: Partial<Figures> = { events: 0, mean: null, max: null, p50: null, p90: null, p95: null, seconds_observed: 0, seconds_at_risk: 0, coverage: 0, people: 0 };
const few: Partial<Figures> = { mean: null, max: null, p50: null, p90: null, p95: null, seconds_observed: null, seconds_at_risk: null, people: null, suppressed: true };
const bucket = (change: Partial<Bucket> = {}): Bucket => ({ name: null, from: '2026-11-24T09:00:00Z', to: '2026-11-24T10:00:00Z', ...figures(), ...change });

test('no data, too few people and nobody at risk are three things', () => {
  assert.deepEqual([figures(), figures(nothing), figures(few)].map(known), ['data', 'nodata', 'suppressed']);
  assert.equal(atRisk(figures({ seconds_at_risk: 0 })), 0);
  assert.equal(atRisk(figures(nothing)), null, 'nothing seen is not no risk');
  assert.equal(atRisk(figures(few)), null);
  assert.equal(measure(figures(few), 'mean'), null);
  assert.equal(measure(figures({ mean: 0 }), 'mean'), 0);
});

test('a suppressed bucket says nothing even if the answer has a number in it', () => {
  const leak = bucket({ suppressed: true });
  const drawn = series([leak]);
  assert.deepEqual([drawn.mean, drawn.p95, drawn.max, drawn.atRisk], [[null], [null], [null], [null]]);
});

test('steps of colour rise with the measure, and 70 is the highest', () => {
  for (const [which, bounds] of Object.entries(STEPS)) {
    assert.equal(bounds.length, 4);
    assert.deepEqual([...bounds].sort((a, b) => a - b), bounds, which);
  }
  assert.deepEqual([0, 14.9, 15, 30, 50, 69.9, 70, 100].map((value) => step(value, 'mean')), [0, 0, 1, 2, 3, 3, 4, 4]);
  assert.deepEqual([0, 0.01, 0.5].map((value) => step(value, 'at_risk')), [0, 1, 4]);
});

test('runs of buckets without figures are holes, told apart by their reason', () => {
  const list = [bucket(), bucket(nothing), bucket(nothing), bucket(few), bucket(), bucket(nothing)];
  assert.deepEqual(holes(list), [
    { from: 1, to: 2, why: 'nodata' },
    { from: 3, to: 3, why: 'suppressed' },
    { from: 5, to: 5, why: 'nodata' },
  ]);
  const drawn = series(list);
  assert.deepEqual(drawn.mean, [41, null, null, null, 41, null]);
  assert.deepEqual(drawn.atRisk, [5, null, null, null, 5, null]);
  assert.equal(drawn.empty, false);
  assert.equal(series([bucket(nothing)]).empty, true);
  assert.equal(series([bucket(few)]).empty, false, 'somebody was there');
});

test('the axis of shares ends just above the most', () => {
  assert.deepEqual([[0], [0.4, null], [4], [12], [51], []].map(shareTop), [1, 1, 5, 20, 100, 1]);
});

test('a difference is said with both values and how much of the old one it is', () => {
  const verdict = compare(figures({ mean: 36 }), figures({ mean: 41 }), 'mean');
  assert.equal(verdict.kind, 'lower');
  assert.ok(verdict.kind === 'lower' && Math.abs(verdict.part! - 5 / 41) < 1e-9);
  assert.equal(compare(figures({ mean: 41 }), figures({ mean: 36 }), 'mean').kind, 'higher');
  assert.equal(compare(figures({ mean: 41.3 }), figures(), 'mean').kind, 'same');
  const fromNone = compare(figures(), figures({ seconds_at_risk: 0 }), 'at_risk');
  assert.ok(fromNone.kind === 'higher' && fromNone.part === null, 'nothing is so many percent of zero');
});

test('nothing is compared with what is not known', () => {
  assert.deepEqual(compare(figures(), figures(nothing), 'mean'), { kind: 'nodata', where: 'before' });
  assert.deepEqual(compare(figures(few), figures(), 'mean'), { kind: 'suppressed', where: 'after' });
  assert.deepEqual(compare(figures(nothing), figures(nothing), 'p95'), { kind: 'nodata', where: 'both' });
  assert.deepEqual(compare(figures(nothing), figures(few), 'mean'), { kind: 'nodata', where: 'after' });
  assert.deepEqual(compare(figures({ seconds_observed: 0 }), figures(), 'at_risk'), { kind: 'nodata', where: 'after' });
});

test('a comparison warns where coverage differs, is small, or is not known', () => {
  assert.equal(caution(figures(), figures()), null);
  assert.equal(caution(figures({ coverage: 0.4 }), figures()), 'fewer');
  assert.equal(caution(figures(), figures({ coverage: 0.4 })), 'more');
  assert.equal(caution(figures({ coverage: 0.41 }), figures({ coverage: 0.4 })), 'little');
  assert.equal(caution(figures({ coverage: null }), figures()), 'unknown');
  assert.equal(caution(figures(nothing), figures()), null, 'that is said in other words already');
});

test('every hour of a zone has a cell, with data or without', () => {
  const map: HeatMap = {
    time_zone: 'Europe/Berlin', from: '', to: '', filling: false, zones: [{ zone_id: 'z1', name: 'Picking' }, { zone_id: 'z2', name: null }],
    cells: [{ zone_id: 'z1', hour: 14, ...figures({ mean: 55 }) }],
  };
  const [one, two] = rows(map);
  assert.equal(one!.cells.length, 24);
  assert.equal(one!.cells[14]?.mean, 55);
  assert.ok(one!.cells.every((cell, hour) => (hour === 14) === (cell !== null)));
  assert.ok(two!.cells.every((cell) => cell === null));
});

test('arrow keys walk the heat map and stop at its edges', () => {
  assert.deepEqual(moved('ArrowRight', { row: 0, hour: 0 }, 2), { row: 0, hour: 1 });
  assert.deepEqual(moved('ArrowRight', { row: 0, hour: 23 }, 2), { row: 0, hour: 23 });
  assert.deepEqual(moved('ArrowDown', { row: 1, hour: 3 }, 2), { row: 1, hour: 3 });
  assert.deepEqual(moved('Home', { row: 1, hour: 3 }, 2), { row: 1, hour: 0 });
  assert.equal(moved('x', { row: 1, hour: 3 }, 2), null);
});

test('bars of a histogram keep every event', () => {
  const own = bars([0, 10, 30, 0]);
  assert.deepEqual(own.map(({ part }) => part), [0, 1 / 3, 1, 0]);
  assert.equal(own.reduce((sum, { events }) => sum + events, 0), 40);
  assert.deepEqual([own[1]!.from, own[1]!.to, own[1]!.share], [5, 10, 0.25]);
  assert.deepEqual(bars([0, 0]).map(({ part }) => part), [0, 0]);
});

test('periods are counted as complete of those that are over and had something', () => {
  const period = (state: 'complete' | 'filling' | 'missing' | 'dead_lettered' | 'unknown', accepted: number, buffered = 0) => ({ state, accepted, buffered, ran: 1, text: state });
  assert.deepEqual(tally([period('complete', 10), period('complete', 0), period('filling', 10), period('filling', 10, 3), period('missing', 10), period('unknown', 0)]), { complete: 1, all: 3, dead: 0, unknown: 1, never: 0 }, 'what is not known is not held against a site');
  assert.deepEqual(tally([period('unknown', 10), period('unknown', 0)]), { complete: 0, all: 0, dead: 0, unknown: 2, never: 0 });
  assert.deepEqual(tally([period('complete', 10), period('dead_lettered', 10)]), { complete: 1, all: 2, dead: 1, unknown: 0, never: 0 }, 'what could not be stored is not complete');
  assert.deepEqual(tally([period('unknown', 0), { ...period('unknown', 0), ran: null }]), { complete: 0, all: 0, dead: 0, unknown: 1, never: 1 });
});

test('what nobody can ever tell is not called not known yet', () => {
  const unknown = (ran: number | null, text: string) => neverKnown({ state: 'unknown', ran, text });
  assert.equal(unknown(null, 'unknown (no edge of this site was known then)'), 'no-edge');
  assert.equal(unknown(0, 'unknown (no edge ran)'), 'none-ran');
  assert.equal(unknown(0.5, 'unknown (north 1 not heard since 2026-11-24 10:00 UTC)'), null, 'it may still tell');
  assert.equal(neverKnown({ state: 'complete', ran: 1, text: 'complete' }), null);
});
