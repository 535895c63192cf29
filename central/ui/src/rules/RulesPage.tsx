// Which rules hold at which site, and whether its edges go by them.

import { useMemo } from 'preact/hooks';
import { shortId } from '../../../../common/ui/ids';
import { ADD_EDGE } from '../commands';
import { dated } from '../format';
import { language, t } from '../i18n';
import { useGet } from '../load';
import { Empty, Failed, Loading } from '../parts/Empty';
import { Table, type Column } from '../parts/Table';
import { ZoneNote } from '../parts/ZoneNote';
import { href } from '../route';
import { EdgeCounts } from './EdgeStates';
import type { Overview, SiteOverview } from './wire';

/** Edges answer with their next heartbeat, ten seconds on. */
const REFRESH_MS = 10_000;

export function RulesPage() {
  const w = t.value.rules;
  const { data, problem, again } = useGet<Overview>('/api/v1/rules', REFRESH_MS);
  const columns = useMemo((): Column<SiteOverview>[] => [
    { key: 'site', head: w.site, value: ({ warehouse_id, name }) => name ?? shortId(warehouse_id), cell: ({ warehouse_id, name }) => <a href={href(`/rules/${warehouse_id}`)}>{name ?? shortId(warehouse_id)}</a> },
    { key: 'rules', head: w.inForce, value: ({ version, has_rules }) => (has_rules ? version : null), down: true, cell: ({ version, has_rules, alerts_off, made_at, made_by }) => (version === null || !has_rules ? w.ownConfig : <>{w.versionOf(version)} {made_by && made_at && <small class="dim">{w.madeBy(made_by, dated(made_at))}</small>}{alerts_off && <p class="wrong">{w.emptyRules}</p>}</>) },
    // The worst first: those that refuse, then those that wait.
    { key: 'edges', head: w.edges, value: ({ refused, waiting }) => refused * 1e6 + waiting, down: true, cell: (own) => <EdgeCounts counts={own} /> },
  ], [language.value]);
  return (
    <section class="study" aria-labelledby="study-title" data-testid="rules">
      <div class="study-head"><h1 id="study-title" tabIndex={-1}>{w.title}</h1></div>
      <p class="dim">{w.intro}</p>
      <ZoneNote />
      {problem && <Failed problem={problem} again={again} />}
      {!data && !problem && <Loading />}
      {data?.sites.length === 0 && <Empty title={t.value.figures.noSites} hint={t.value.figures.noSitesHint} command={ADD_EDGE} />}
      {data && data.sites.length > 0 && <Table id="sites" caption={w.sites} columns={columns} rows={data.sites} rowKey={({ warehouse_id }) => warehouse_id} />}
    </section>
  );
}
