// Which sites somebody may mean by what was typed. Pure.

import type { SiteRow } from './wire';

/** Best first: those whose name begins with it, then those with a word that does, then those that have it anywhere. */
export function findSites(sites: Iterable<SiteRow>, text: string, byName: (a: string, b: string) => number, limit: number): SiteRow[] {
  const wanted = text.trim().toLowerCase();
  const found: { site: SiteRow; rank: number; name: string }[] = [];
  for (const site of sites) {
    const name = (site.name ?? '').toLowerCase();
    const rank = name.startsWith(wanted) ? 0
      : name.split(/[\s\-_/]+/).some((word) => word.startsWith(wanted)) ? 1
      : name.includes(wanted) || site.warehouse_id.startsWith(wanted) ? 2
      : 3;
    if (rank < 3) found.push({ site, rank, name: site.name ?? site.warehouse_id });
  }
  return found.sort((a, b) => a.rank - b.rank || byName(a.name, b.name)).slice(0, limit).map(({ site }) => site);
}
