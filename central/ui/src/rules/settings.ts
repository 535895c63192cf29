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

/** What a save would say; empty if nothing was changed. */
export function update(own: Settings, form: SettingsDraft): Update {
  const said: Update = {};
  if (set(form.name) !== own.name_set) said.name = set(form.name);
  if (set(form.time_zone) !== own.time_zone_set) said.time_zone = set(form.time_zone);
  if (JSON.stringify(form.shifts) !== JSON.stringify(own.shifts_set)) said.shifts = form.shifts;
  const names = (known: { id: string; was: string | null }[], texts: Record<string, string>) =>
    Object.fromEntries(known.filter(({ id, was }) => set(texts[id] ?? '') !== was).map(({ id }) => [id, set(texts[id] ?? '')]));
  const zones = names(own.zones.map(({ zone_id, name_set }) => ({ id: zone_id, was: name_set })), form.zones);
  if (Object.keys(zones).length > 0) said.zones = zones;
  const cameras = names(own.cameras.map(({ camera_id, name_set }) => ({ id: camera_id, was: name_set })), form.cameras);
  if (Object.keys(cameras).length > 0) said.cameras = cameras;
  return said;
}
