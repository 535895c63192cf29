// The form of a site's settings, and what of it is sent: only what was changed, with `null` for "as the edge reports it".

import type { Settings, Shift } from './wire';

export interface SettingsDraft {
  /** Empty = as reported. */
  name: string;
  time_zone: string;
  /** `null` = as reported. */
  shifts: Shift[] | null;
  zones: Record<string, string>;
  cameras: Record<string, string>;
}

export function settingsDraft(own: Settings): SettingsDraft {
  return {
    name: own.name_set ?? '',
    time_zone: own.time_zone_set ?? '',
    shifts: own.shifts_set && own.shifts_set.map((shift) => ({ ...shift, days: [...shift.days] })),
    zones: Object.fromEntries(own.zones.map(({ zone_id, name_set }) => [zone_id, name_set ?? ''])),
    cameras: Object.fromEntries(own.cameras.map(({ camera_id, name_set }) => [camera_id, name_set ?? ''])),
  };
}

export interface Update {
  name?: string | null;
  time_zone?: string | null;
  shifts?: Shift[] | null;
  zones?: Record<string, string | null>;
  cameras?: Record<string, string | null>;
}

const set = (text: string): string | null => text.trim() || null;

/** What a save would say: what differs from the form as it began, whatever has become of the site meanwhile. */
export function update(began: SettingsDraft, form: SettingsDraft): Update {
  const said: Update = {};
  if (set(form.name) !== set(began.name)) said.name = set(form.name);
  if (set(form.time_zone) !== set(began.time_zone)) said.time_zone = set(form.time_zone);
  if (JSON.stringify(form.shifts) !== JSON.stringify(began.shifts)) said.shifts = form.shifts;
  for (const kind of ['zones', 'cameras'] as const) {
    const changed = Object.entries(form[kind]).filter(([id, text]) => set(text) !== set(began[kind][id] ?? ''));
    if (changed.length > 0) said[kind] = Object.fromEntries(changed.map(([id, text]) => [id, set(text)]));
  }
  return said;
}
