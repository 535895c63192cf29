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

/** A field that somebody else changed too, and what it is now; `null` = as the edge reports it. */
export interface Clash {
  kind: keyof Update;
  /** Of a zone or camera. */
  id: string;
  now: string | null;
}

/** What of `said` was changed by others since the form `began`. */
export function clashes(began: SettingsDraft, present: SettingsDraft, said: Update): Clash[] {
  const found: Clash[] = [];
  for (const kind of ['name', 'time_zone'] as const) {
    if (kind in said && set(present[kind]) !== set(began[kind])) found.push({ kind, id: '', now: set(present[kind]) });
  }
  if ('shifts' in said && JSON.stringify(present.shifts) !== JSON.stringify(began.shifts)) {
    found.push({ kind: 'shifts', id: '', now: present.shifts && present.shifts.map(({ name, start, end }) => `${name} ${start}–${end}`).join(', ') });
  }
  for (const kind of ['zones', 'cameras'] as const) {
    for (const id of Object.keys(said[kind] ?? {})) {
      const now = set(present[kind][id] ?? '');
      if (now !== set(began[kind][id] ?? '')) found.push({ kind, id, now });
    }
  }
  return found;
}

/** The form on top of what others have changed meanwhile: what was typed stays, all else is as it is now. */
export function rebased(present: SettingsDraft, form: SettingsDraft, said: Update): SettingsDraft {
  const typed = (kind: 'zones' | 'cameras') => Object.fromEntries(Object.keys(said[kind] ?? {}).map((id) => [id, form[kind][id] ?? '']));
  return {
    name: 'name' in said ? form.name : present.name,
    time_zone: 'time_zone' in said ? form.time_zone : present.time_zone,
    shifts: 'shifts' in said ? form.shifts : present.shifts,
    zones: { ...present.zones, ...typed('zones') },
    cameras: { ...present.cameras, ...typed('cameras') },
  };
}
