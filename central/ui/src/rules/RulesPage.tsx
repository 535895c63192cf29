// Which rules hold at which site, and whether its edges go by them.

import { useMemo } from 'preact/hooks';
import { shortId } from '../../../../common/ui/ids';
import { ADD_EDGE } from '../commands';
import { byName } from '../format';
import { language, t } from '../i18n';
import { useGet } from '../load';
import { Empty } from '../parts/Empty';
import { Table, type Column } from '../parts/Table';
import { href } from '../route';
import { sites } from '../store';
import type { SiteRow } from '../wire';
import { EdgeStates } from './EdgeStates';
import type { SiteRules } from './wire';

export function RulesPage() {
  const w = t.value.rules;
  const rows = useMemo(() => [...sites.value.values()].sort((a, b) => byName(a.name ?? shortId(a.warehouse_id), b.name ?? shortId(b.warehouse_id))), [sites.value, language.value]);
  const columns = useMemo((): Column<SiteRow>[] => [
    { key: 'site', head: w.site, value: ({ warehouse_id, name }) => name ?? shortId(warehouse_id), cell: ({ warehouse_id, name }) => <a href={href(`/rules/${warehouse_id}`)}>{name ?? shortId(warehouse_id)}</a> },
    { key: 'rules', head: w.inForce, cell: ({ warehouse_id }) => <Summary key={warehouse_id} site={warehouse_id} part="version" /> },
    { key: 'edges', head: w.edges, cell: ({ warehouse_id }) => <Summary key={warehouse_id} site={warehouse_id} part="edges" /> },
  ], [language.value]);
  return (
    <section class="study" aria-labelledby="study-title" data-testid="rules">
      <div class="study-head"><h1 id="study-title" tabIndex={-1}>{w.title}</h1></div>
      <p class="dim">{w.intro}</p>
      {rows.length === 0
        ? <Empty title={t.value.figures.noSites} hint={t.value.figures.noSitesHint} command={ADD_EDGE} />
        : <Table id="sites" caption={w.sites} columns={columns} rows={rows} rowKey={({ warehouse_id }) => warehouse_id} />}
    </section>
  );
}

/** Asked for the rows that are drawn, not for all that there are. */
function Summary({ site, part }: { site: string; part: 'version' | 'edges' }) {
  const { data, problem } = useGet<SiteRules>(`/api/v1/sites/${site}/rules`);
  const w = t.value.rules;
  if (!data) return <span class="dim">{problem ? t.value.shell.unknown : '…'}</span>;
  if (part === 'edges') return <EdgeStates edges={data.edges} />;
  return <>{data.current?.rules ? w.versionOf(data.current.version) : w.ownConfig}</>;
}
