// What headquarters says, as it says it. Times are RFC 3339 in UTC.

import type { Severity } from '../../../common/ui/parts/Icon';

export type { Severity };
export type SiteState = 'healthy' | 'degraded' | 'stale' | 'offline' | 'unknown';
export type Scope = 'read' | 'act' | 'people' | 'admin';
export type Role = 'viewer' | 'safety-manager' | 'administrator';

export interface Session {
  kind: 'user' | 'token';
  name: string;
  role: Role | null;
  scopes: Scope[];
}

export interface Completeness {
  /** `dead_lettered`: all arrived, and some of it could not be stored. */
  state: 'complete' | 'filling' | 'missing' | 'dead_lettered' | 'unknown';
  /** The server's words, in English. */
  text: string;
  missing: number;
  backlog: number;
  drain_seconds: number | null;
  /** What could not be stored; told of a period. */
  dead?: number;
}

/** One site in the fleet's list. */
export interface SiteRow {
  warehouse_id: string;
  name: string | null;
  state: SiteState;
  reasons: string[];
  since: string | null;
  edges: number;
  edges_silent: number;
  backlog: number;
  oldest_age_seconds: number | null;
  drain_seconds: number | null;
  last_heartbeat_at: string | null;
  last_progress_at: string | null;
  last_event_time: string | null;
  events_per_second: number;
  alerts_open: number;
  alerts_unacknowledged: number;
  dead_letters_open: number;
  missing: number;
  completeness: Completeness;
}

export interface EdgeRow {
  edge_id: string;
  name: string | null;
  state: SiteState;
  reasons: string[];
  since: string | null;
  version: string | null;
  /** Null for one that comes in by a token. */
  certificate_until: string | null;
  /** Null while it is the one it joined with. */
  certificate_renewed_at: string | null;
  /** When a box last came with a certificate that another one has replaced. */
  copy_seen_at: string | null;
  last_heartbeat_at: string | null;
  last_progress_at: string | null;
  buffered: number;
  missing: number;
  rules_version: number | null;
}

/** An edge that may not come in any more. */
export interface ShutOut {
  edge_id: string;
  name: string | null;
  at: string;
}

export interface CameraRow {
  camera_id: string;
  name: string | null;
  zone_id: string | null;
  edge_id: string;
  last_seen_at: string | null;
  clock_suspect: boolean;
  silent: boolean;
}

export interface ZoneRow {
  zone_id: string;
  name: string | null;
  last_event_time: string | null;
  first_seen_at: string | null;
}

export interface SiteDetail extends SiteRow {
  time_zone: string;
  /** Its rule set is empty: nothing raises an alert about people. */
  alerts_off: boolean;
  zones: ZoneRow[];
  cameras: CameraRow[];
  edge_list: EdgeRow[];
  shut_out: ShutOut[];
}

export interface History {
  states: { at: string; edge_id: string | null; state: SiteState; reasons: string[] }[];
  heartbeats: { at: string; edge_id: string; live: number; backlog: number; oldest_age_seconds: number | null }[];
}

export interface Alert {
  alert_id: string;
  warehouse_id: string;
  edge_id: string;
  revision: number;
  state: 'raised' | 'acknowledged' | 'cleared';
  subject: 'risk' | 'system';
  rule: string;
  severity: Severity;
  zone_id: string | null;
  camera_id: string | null;
  started_at: string;
  raised_at: string;
  ended_at: string | null;
  peak: number | null;
  peak_at: string | null;
  events: number;
  episodes: number;
  summary: string;
  stored_at: string;
  acknowledged: { by: string; at: string; note: string | null; origin: 'edge' | 'headquarters' } | null;
  silenced: { silence_id: string; reason: string; until: string } | null;
}

export interface AlertDetail {
  alert: Alert;
  /** Empty for who may not see single events. */
  curve: { t: string; risk: number }[];
  threshold: number | null;
  facts: { fact_id: string; kind: string; by: string; at: string; note: string | null; origin: 'edge' | 'headquarters' }[];
}

export interface Silence {
  silence_id: string;
  warehouse_id: string;
  scope: { rule: string | null; zone_id: string | null; camera_id: string | null };
  reason: string;
  by: string;
  origin: 'edge' | 'headquarters';
  from: string;
  until: string;
  ended: { by: string; at: string } | null;
  active: boolean;
}

/** How headquarters itself is. */
export interface HeadquartersHealth {
  status: 'healthy' | 'degraded' | 'unhealthy';
  /** The server's words, in English, the worst first. */
  reasons: string[];
  /** One for each reason. */
  codes: string[];
}

export interface Rates {
  events_per_second: number;
  outdated?: Outdated | null;
}

/** Headquarters itself could not look at its sites: what it shows was true then. */
export interface Outdated {
  since: string;
  reason: string;
}

export type Message =
  | {
      type: 'snapshot';
      run: string;
      seq: number;
      server_time: string;
      version: string;
      sites?: SiteRow[];
      alerts?: Alert[];
      rates?: Rates | null;
    }
  | { type: 'resumed'; run: string; seq: number; server_time?: string; version?: string }
  | { type: 'change'; seq: number; topic: 'sites'; site?: SiteRow; gone?: string }
  | { type: 'change'; seq: number; topic: 'alerts'; alert?: Alert; gone?: string }
  | { type: 'change'; seq: number; topic: 'rates'; rates: Rates }
  | { type: 'missed'; count: number }
  | { type: 'beat'; seq: number; server_time: string };
