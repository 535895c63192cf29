// What people call the places of a site, and its clocks: asked once for each site that is looked at, and kept.

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { get, type Problem } from '../../../common/ui/api';
import { shortId } from '../../../common/ui/ids';
import { clock, clockSeconds, dated, knownZone } from './format';
import type { Settings } from './rules/wire';

const known = signal<ReadonlyMap<string, Settings>>(new Map());
/** When each was learnt, ms: names change rarely, and not asking at all would never show a new one. */
const learntAt = new Map<string, number>();
const KEPT_MS = 300_000;
/** Questions that are under way, so that nothing is asked twice at once. */
const asking = new Map<string, Promise<boolean>>();
/** What failed is asked again after this; ids stand for names meanwhile. */
const RETRY_MIN_MS = 2_000;
const RETRY_MAX_MS = 15_000;

/** Whether that is settled: known, or refused for good. */
function loadSettings(site: string): Promise<boolean> {
  if (Date.now() - (learntAt.get(site) ?? -Infinity) < KEPT_MS) return Promise.resolve(true);
  const ask = async () => {
    try {
      learnSettings(site, await get<Settings>(`/api/v1/sites/${encodeURIComponent(site)}/settings`));
      return true;
    } catch (error) {
      return !(error as Problem).passing;
    } finally {
      asking.delete(site);
    }
  };
  const own = asking.get(site) ?? ask();
  asking.set(site, own);
  return own;
}

/** What was asked for here, or answered to a change. */
export function learnSettings(site: string, settings: Settings): void {
  learntAt.set(site, Date.now());
  known.value = new Map(known.peek()).set(site, settings);
}

/** Asks for all these, a few at a time, until each is settled or nobody looks any more, which the function given back says. */
function keepAsking(sites: readonly string[]): () => void {
  let gone = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const round = async (queue: string[], pause: number) => {
    const failed: string[] = [];
    const next = async (): Promise<void> => {
      const site = queue.shift();
      if (gone || site === undefined) return;
      if (!(await loadSettings(site))) failed.push(site);
      return next();
    };
    await Promise.all([next(), next(), next()]);
    if (!gone && failed.length > 0) timer = setTimeout(() => void round(failed, Math.min(2 * pause, RETRY_MAX_MS)), pause);
  };
  void round([...sites], RETRY_MIN_MS);
  return () => {
    gone = true;
    clearTimeout(timer);
  };
}

/** A site's settings, `null` until they are here. */
export function useSettings(site: string | null): Settings | null {
  useNames(site === null ? [] : [site]);
  return (site !== null && known.value.get(site)) || null;
}

/** Asks for the names of all these sites. */
export function useNames(sites: readonly string[]): void {
  const wanted = sites.join(' ');
  useEffect(() => keepAsking(wanted ? wanted.split(' ') : []), [wanted]);
}

/** Times as a site's clock shows them; where that is not known they are UTC's, and say so. */
export function siteTimes(site: string) {
  const zone = knownZone(known.value.get(site)?.time_zone);
  const note = zone === 'UTC' ? 'UTC' : '';
  const said = (text: string) => (note ? `${text} ${note}` : text);
  return {
    /** For the head of a list whose times do not say it each. */
    note,
    bare: (at: number | string) => clockSeconds(at, zone),
    clock: (at: number | string, now: number) => said(clock(at, now, zone)),
    dated: (at: number | string) => said(dated(at, zone)),
  };
}

export function zoneName(site: string, zone: string): string {
  return known.value.get(site)?.zones.find((one) => one.zone_id === zone)?.name ?? shortId(zone);
}

export function cameraName(site: string, camera: string): string {
  return known.value.get(site)?.cameras.find((one) => one.camera_id === camera)?.name ?? camera;
}
