// What the queries over rollups answer. Times are RFC 3339 in UTC; `null` is "not known", never zero.

export interface Figures {
  events: number | null;
  mean: number | null;
  max: number | null;
  p50: number | null;
  p90: number | null;
  p95: number | null;
  seconds_observed: number | null;
  seconds_at_risk: number | null;
  /** Share of the time in which there were data, 0 to 1; of a ranking it is not worked out. */
  coverage: number | null;
  people: number | null;
  /** One to four people: whoever reads figures of so few reads figures of a person, so there are none. */
  suppressed: boolean;
}

export interface Bucket extends Figures {
  /** Of the shift, if buckets are shifts. */
  name: string | null;
  from: string;
  to: string;
}

interface Answer {
  time_zone: string;
  from: string;
  to: string;
  /** Events of this range may still be on their way. */
  filling: boolean;
}

export interface Named {
  zone_id: string;
  name: string | null;
}

export interface Trend extends Answer {
  buckets: Bucket[];
}

export interface HeatMap extends Answer {
  zones: Named[];
  cells: (Figures & { zone_id: string; hour: number })[];
}

export interface Distribution extends Answer, Figures {
  /** Events by score, 5 to a bin. */
  bins: number[] | null;
  zones: (Named & Figures)[];
}

export interface Comparison {
  time_zone: string;
  filling: boolean;
  a: Figures;
  b: Figures;
  zones: (Named & { a: Figures; b: Figures })[];
}

export interface Ranking {
  from: string;
  to: string;
  sites: (Figures & { warehouse_id: string; name: string | null })[];
}

export const BY = ['quarter', 'hour', 'day', 'week', 'shift'] as const;
export type By = (typeof BY)[number];
