// Completeness of a site, period by period, as the ledger has it.

import type { Completeness as Judgement } from '../wire';

export const PERIODS = ['shift', 'day', 'hour'] as const;
export type PeriodKind = (typeof PERIODS)[number];

export interface CompletenessPeriod {
  kind: string;
  name: string | null;
  from: string;
  to: string;
  accepted: number;
  stored: number;
  alerts: number;
  duplicates: number;
  dead: number;
  buffered: number;
  missing: number;
  /** 0 to 1; `null` where nothing was accepted. */
  completeness: number | null;
  state: Judgement['state'];
  /** The server's words, in English. */
  text: string;
  /** Some of what is missing or waits may be of the period before or after: an edge did not live to tell. */
  approximate: boolean;
  /** Share of the period in which the edges ran; `null` if the site had none. */
  ran: number | null;
  epochs: { edge_id: string; edge: string | null; epoch: string; missing: number; approximate: boolean }[];
}

export interface Completeness {
  time_zone: string;
  from: string;
  to: string;
  periods: CompletenessPeriod[];
}
