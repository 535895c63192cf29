// What the edge says, as it says it. Times are RFC 3339 in UTC.

export type Severity = 'notice' | 'warning' | 'critical';
export type Subject = 'risk' | 'system';
export type AlertState = 'raised' | 'acknowledged' | 'cleared';
export type Origin = 'edge' | 'headquarters';

export interface Alert {
  alert_id: string;
  revision: number;
  state: AlertState;
  subject: Subject;
  rule: string;
  severity: Severity;
  zone_id: string | null;
  zone: string | null;
  camera_id: string | null;
  camera: string | null;
  started_at: string;
  raised_at: string;
  ended_at: string | null;
  latest: number | null;
  peak: number | null;
  peak_at: string | null;
  events: number;
  episodes: number;
  summary: string;
  late: boolean;
  acknowledged: { by: string; at: string; note: string | null; origin: Origin } | null;
  silenced: { silence_id: string; reason: string; until: string } | null;
}

export interface Snapshot {
  event_time: string;
  zone_id: string;
  camera_id: string;
  source: string;
  risk_score: number;
  confidence: number;
}

export interface Health {
  status: string;
  reasons: string[];
  uplink: { state: 'up' | 'down' | 'none'; since: string | null };
  waiting: { live: number; backlog: number };
  room_hours: number | null;
  drain_seconds: number | null;
  disk_bytes_free: number | null;
  cameras: CameraHealth[];
  unevaluated: number;
}

export interface CameraHealth {
  camera_id: string;
  zone_id: string | null;
  last_seen: string | null;
  clock_suspect: boolean;
  silent: boolean;
}

export interface Site {
  name: string | null;
  time_zone: string;
  version: string;
  zones: { zone_id: string; name: string }[];
  cameras: { camera_id: string; name: string | null; zone_id: string | null }[];
  rules: { name: string; threshold: number; clear_below: number; for_seconds: number; severity: Severity }[];
  no_data_after_seconds: number;
}

export interface Session {
  kind: 'open' | 'user' | 'kiosk';
  name: string;
  role: 'viewer' | 'supervisor' | 'admin';
}

export interface Keypoint {
  x: number;
  y: number;
  confidence?: number;
}

export interface AlertDetail {
  alert: Alert;
  curve: { t: string; risk: number }[];
  threshold: number | null;
  clear_below: number | null;
  posture: Record<string, Keypoint> | null;
  facts: { fact_id: string; kind: string; by: string; at: string; note: string | null; origin: Origin }[];
}

export interface Silence {
  silence_id: string;
  scope: { rule: string | null; zone_id: string | null; camera_id: string | null };
  reason: string;
  by: string;
  origin: Origin;
  from: string;
  until: string;
  ended: { by: string; at: string } | null;
  active: boolean;
  alerts: number;
}

export interface Shift {
  shift: { name: string; from: string; to: string; running: boolean };
  events: number;
  coverage: number | null;
  coverage_note: string | null;
  zones: {
    zone_id: string;
    zone: string | null;
    events: number;
    coverage: number | null;
    seconds_at_risk: number;
    seconds_observed: number;
    alerts: number;
    peak: number | null;
  }[];
  cameras: {
    camera_id: string;
    camera?: string | null;
    zone_id?: string | null;
    events: number;
    seconds_at_risk?: number;
    alerts?: number;
    peak?: number | null;
  }[];
  alerts: {
    raised: number;
    acknowledged: number;
    cleared: number;
    silenced: number;
    median_seconds_to_acknowledge: number | null;
  };
}

export type Message =
  | {
      type: 'snapshot';
      run: string;
      seq: number;
      server_time: string;
      version: string;
      alerts?: Alert[];
      snapshots?: Snapshot[];
      health?: Health | null;
    }
  | { type: 'resumed'; run: string; seq: number; server_time?: string; version?: string }
  | { type: 'change'; seq: number; topic: 'alerts'; alert: Alert }
  | { type: 'change'; seq: number; topic: 'snapshots'; snapshots: Snapshot[] }
  | { type: 'change'; seq: number; topic: 'health'; health: Health }
  | { type: 'missed'; count: number }
  | { type: 'beat'; seq: number; server_time: string };
