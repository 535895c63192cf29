// Answers about figures and completeness with all that a page must tell apart: data, nobody at risk, no data, too few people.
import { uuid, ZONES } from './hq-fake.mjs';

export const SITE = uuid(1);
export const HOUR = 3_600_000;
export const figures = (change = {}) => ({
  events: 4000, mean: 41.2, max: 92, p50: 40, p90: 66, p95: 72, seconds_observed: 3600, seconds_at_risk: 180, coverage: 0.92, people: 12, suppressed: false, ...change,
});
export const NOTHING = { events: 0, mean: null, max: null, p50: null, p90: null, p95: null, seconds_observed: 0, seconds_at_risk: 0, coverage: 0, people: 0 };
const FEW = { mean: null, max: null, p50: null, p90: null, p95: null, seconds_observed: null, seconds_at_risk: null, people: null, suppressed: true };
export const zones = ZONES.map(({ zone_id, name }) => ({ zone_id, name }));
const answer = (query) => ({ time_zone: 'Europe/Berlin', from: query.from, to: query.to, filling: false });

/** Hours of a day: two without data, one with too few people, one in which nobody was at risk. */
export function trend({ query }) {
  const begin = Date.parse(query.from);
  const buckets = Array.from({ length: 12 }, (_, index) => ({
    name: null, from: new Date(begin + index * HOUR).toISOString(), to: new Date(begin + (index + 1) * HOUR).toISOString(),
    ...figures(index === 3 || index === 4 ? NOTHING : index === 6 ? FEW : index === 8 ? { seconds_at_risk: 0 } : {}),
  }));
  return { ...answer(query), filling: true, buckets };
}

function heatmap({ query }) {
  const cell = (zone, hour, change) => ({ zone_id: zones[zone].zone_id, hour, ...figures(change) });
  const cells = [cell(0, 8), cell(0, 9, { mean: 0, seconds_at_risk: 0 }), cell(0, 10, FEW), cell(0, 11, NOTHING), cell(1, 8, { mean: 74 }), cell(2, 8, { mean: 22 })];
  return { ...answer(query), zones, cells };
}

const compare = () => ({
  time_zone: 'Europe/Berlin', a: figures({ mean: 36.256, coverage: 0.41 }), b: figures(),
  zones: [{ ...zones[0], a: figures({ mean: 50 }), b: figures({ mean: 40 }) }, { ...zones[1], a: figures(NOTHING), b: figures() }, { ...zones[2], a: figures(FEW), b: figures() }],
});

const distribution = ({ query }) => ({
  ...answer(query), ...figures(), bins: Array.from({ length: 20 }, (_, index) => (index < 4 ? 0 : 1000 - Math.abs(index - 8) * 60)),
  zones: [{ ...zones[0], ...figures() }, { ...zones[1], ...figures(NOTHING) }, { ...zones[2], ...figures(FEW) }],
});

const ranking = ({ query }) => ({
  from: query.from, to: query.to,
  sites: [{ warehouse_id: SITE, name: 'Leipzig', ...figures({ seconds_at_risk: 720 }) }, { warehouse_id: uuid(3), name: 'Zaragoza', ...figures() }, { warehouse_id: uuid(7), name: 'Lyon', ...figures(FEW) }, { warehouse_id: uuid(6), name: 'Rotterdam', ...figures(NOTHING) }],
});

function completeness({ query }) {
  const begin = Date.parse('2026-11-23T05:00:00Z');
  const period = (index, change) => ({
    kind: 'shift', name: 'Early', from: new Date(begin + index * 24 * HOUR).toISOString(), to: new Date(begin + (index * 24 + 8) * HOUR).toISOString(), accepted: 31_240, received: 31_240,
    stored: 31_200, alerts: 34, duplicates: 6, dead: 0, buffered: 0, missing: 0, completeness: 1, state: 'complete', text: 'complete', approximate: false, ran: 1, epochs: [], ...change,
  });
  const epochs = [{ edge_id: uuid(700_001), edge: 'north 1', epoch: uuid(42), missing: 17, approximate: false }];
  return {
    ...answer(query), periods: [
      period(0), period(1, { missing: 17, stored: 31_183, completeness: 31_223 / 31_240, state: 'missing', text: '17 missing', epochs }),
      period(2, { buffered: 12_400, stored: 18_800, completeness: 18_840 / 31_240, state: 'filling', text: 'filling', ran: 0.8 }), period(3, { accepted: 0, stored: 0, alerts: 0, duplicates: 0, completeness: null }),
    ],
  };
}

export const answers = {
  'GET /api/v1/trend': trend, 'GET /api/v1/heatmap': heatmap, 'GET /api/v1/compare': compare, 'GET /api/v1/distribution': distribution, 'GET /api/v1/ranking': ranking,
  'GET /api/v1/completeness': completeness,
};
