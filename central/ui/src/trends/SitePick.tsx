// Which site: every one that is known, by name.

import { shortId } from '../../../../common/ui/ids';
import { byName } from '../format';
import { t } from '../i18n';
import { setQuery } from '../route';
import { sites } from '../store';

interface Props {
  site: string;
  /** The choice of none, where there is one. */
  all?: string;
}

export function SitePick({ site, all }: Props) {
  const list = [...sites.value.values()].map(({ warehouse_id, name }) => ({ warehouse_id, name: name ?? shortId(warehouse_id) })).sort((a, b) => byName(a.name, b.name));
  // Zones and sorting are of the site that was.
  const choose = (next: string) => setQuery({ site: next, zone: null, sort: null }, true);
  return (
    <label class="control"><span>{t.value.figures.site}</span>
      <select value={site} onChange={(event) => choose(event.currentTarget.value)} data-testid="site">
        {all !== undefined ? <option value="">{all}</option> : !site && <option value="" disabled>–</option>}
        {site && !list.some(({ warehouse_id }) => warehouse_id === site) && <option value={site}>{shortId(site)}</option>}
        {list.map(({ warehouse_id, name }) => <option key={warehouse_id} value={warehouse_id}>{name}</option>)}
      </select>
    </label>
  );
}
