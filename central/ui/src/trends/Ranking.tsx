// Where to look first: sites by how much of the observed time somebody was at risk.

import { useMemo } from 'preact/hooks';
import { shortId } from '../../../../common/ui/ids';
import { ADD_EDGE } from '../commands';
import { here } from '../format';
import { t } from '../i18n';
import { ask, useGet } from '../load';
import { Empty, Failed, Loading } from '../parts/Empty';
import { TimeRange, useRange } from '../parts/TimeRange';
import { href, query } from '../route';
import { FiguresTable } from './FiguresTable';
import { SitePick } from './SitePick';
import type { Ranking as Answer } from './wire';

/** Sites have zones of their own; what is asked of all of them goes by the reader's. */
export function Ranking() {
  const w = t.value.figures;
  const chosen = useRange(here, [], '7d');
  const loaded = useGet<Answer>(chosen.range && ask('/api/v1/ranking', { from: chosen.from, to: chosen.to }));
  const own = loaded.data;
  const [range, from, to] = ['range', 'from', 'to'].map((name) => query.value.get(name));
  const rows = useMemo(
    () => (own?.sites ?? []).map((figures) => ({
      key: figures.warehouse_id, name: figures.name ?? shortId(figures.warehouse_id), figures, link: href('/trends', { site: figures.warehouse_id, range, from, to }),
    })),
    [own, range, from, to],
  );
  return (
    <section class="study" aria-labelledby="study-title" data-testid="ranking">
      <div class="study-head">
        <h1 id="study-title" tabIndex={-1}>{w.title}</h1>
        {chosen.range && <a class="button" href={ask('/api/v1/ranking.csv', { from: chosen.from, to: chosen.to })} download data-testid="csv">{w.csv}</a>}
      </div>
      <div class="controls"><SitePick site="" all={w.allSites} /></div>
      <TimeRange zone={here} shifts={[]} chosen={chosen} />
      {loaded.problem && !own && <Failed problem={loaded.problem} again={loaded.again} />}
      {!own && !loaded.problem && chosen.range && <Loading />}
      {own && rows.length === 0 && <Empty title={w.noSites} hint={w.noSitesHint} command={ADD_EDGE} />}
      {rows.length > 0 && (
        <>
          <h2>{w.rank}</h2>
          <p class="dim">{w.rankHint} {w.atRiskWhy}</p>
          <FiguresTable id="sites" caption={w.rank} head={w.site} rows={rows} covered={false} />
        </>
      )}
    </section>
  );
}
