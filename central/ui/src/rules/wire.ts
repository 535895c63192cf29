// Rule sets and settings of a site, as headquarters keeps them.

export const SEVERITIES = ['notice', 'warning', 'critical'] as const;
export const SCOPES = ['worker', 'unidentified', 'person'] as const;
export const SOURCES = ['camera', 'wearable', 'manual'] as const;
export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

export interface Rule {
  name: string;
  threshold: number;
  clear_below?: number | null;
  /** With its unit, as `3s` or `500ms`. */
  for: string;
  gap: string;
  cooldown: string;
  severity: (typeof SEVERITIES)[number];
  scope: (typeof SCOPES)[number];
  zones: string[];
  sources: (typeof SOURCES)[number][];
  confidence_min: number;
}

export interface Version {
  version: number;
  /** `null`: the edges go by their own configuration. */
  rules: Rule[] | null;
  note: string;
  made_at: string;
  made_by: string;
}

export interface EdgeRules {
  edge_id: string;
  name: string | null;
  applied_version: number | null;
  reported_at: string | null;
  error: string | null;
  state: 'applied' | 'waiting' | 'refused' | 'own';
}

export interface SiteRules {
  current: Version | null;
  edges: EdgeRules[];
  default_rules: Rule[];
}

/** A site in the list: the set in force, and how many of its edges are how far. */
export interface SiteOverview {
  warehouse_id: string;
  name: string | null;
  /** Of the newest set; `null` if none was ever made. */
  version: number | null;
  /** If not, each edge goes by its own configuration. */
  has_rules: boolean;
  /** It has none at all: nothing raises an alert about people. */
  alerts_off: boolean;
  made_at: string | null;
  made_by: string | null;
  applied: number;
  waiting: number;
  refused: number;
  own: number;
}

export interface Overview {
  sites: SiteOverview[];
}

export interface Shift {
  name: string;
  days: (typeof DAYS)[number][];
  start: string;
  end: string;
}

interface NamedThing {
  name: string | null;
  name_reported: string | null;
  name_set: string | null;
}

export interface Settings extends NamedThing {
  /** Of what is set here: sent back with a change, so that nobody undoes another's unseen. */
  revision?: string;
  time_zone: string;
  time_zone_reported: string | null;
  time_zone_set: string | null;
  shifts: Shift[];
  shifts_reported: Shift[] | null;
  shifts_set: Shift[] | null;
  zones: (NamedThing & { zone_id: string })[];
  cameras: (NamedThing & { camera_id: string; zone_id: string | null })[];
}
