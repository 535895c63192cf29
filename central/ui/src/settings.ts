// What people call the places of a site, and its clocks: asked once for each site that is looked at, and kept.

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { get } from '../../../common/ui/api';
import { shortId } from '../../../common/ui/ids';
import { knownZone } from './format';
import type { Shift } from './range';

export interface Named {
  name: string | null;
  name_reported?: string | null;
  name_set?: string | null;
}

export interface Settings extends Named {
  time_zone: string;
  time_zone_reported?: string | null;
  time_zone_set?: string | null;
  shifts: Shift[];
  shifts_reported?: Shift[] | null;
  shifts_set?: Shift[] | null;
  zones: (Named & { zone_id: string })[];
  cameras: (Named & { camera_id: string; zone_id: string | null })[];
}

const known = signal<ReadonlyMap<string, Settings>>(new Map());
/** When each was asked for, ms: names change rarely, and not asking at all would never show a new one. */
const askedAt = new Map<string, number>();
const KEPT_MS = 300_000;
const NO_SHIFTS: readonly Shift[] = [];

export async function loadSettings(site: string, force = false): Promise<void> {
  const last = askedAt.get(site);
  if (!force && last !== undefined && Date.now() - last < KEPT_MS) return;
  askedAt.set(site, Date.now());
  try {
    learnSettings(site, await get<Settings>(`/api/v1/sites/${site}/settings`));
  } catch {
    // Ids stand for names until somebody looks again.
    askedAt.delete(site);
  }
}

/** An answer to a change of them. */
export function learnSettings(site: string, settings: Settings): void {
  known.value = new Map(known.peek()).set(site, settings);
}

/** A site's settings, `null` until they are here. */
export function useSettings(site: string | null): Settings | null {
  useEffect(() => {
    if (site) void loadSettings(site);
  }, [site]);
  return (site !== null && known.value.get(site)) || null;
}

/** Asks for the names of all these sites, a few at a time. */
export function useNames(sites: readonly string[]): void {
  const wanted = sites.join(' ');
  useEffect(() => {
    let gone = false;
    const queue = wanted ? wanted.split(' ') : [];
    const next = async (): Promise<void> => {
      const site = queue.shift();
      if (gone || site === undefined) return;
      await loadSettings(site);
      return next();
    };
    for (let hand = 0; hand < 3; hand += 1) void next();
    return () => {
      gone = true;
    };
  }, [wanted]);
}

/** A site's time zone, UTC until it is known. */
export const siteZone = (site: string) => knownZone(known.value.get(site)?.time_zone);
/** The same list as long as it does not change. */
export const siteShifts = (site: string) => known.value.get(site)?.shifts ?? NO_SHIFTS;

export function zoneName(site: string, zone: string): string {
  return known.value.get(site)?.zones.find((one) => one.zone_id === zone)?.name ?? shortId(zone);
}

export function cameraName(site: string, camera: string): string {
  return known.value.get(site)?.cameras.find((one) => one.camera_id === camera)?.name ?? camera;
}
