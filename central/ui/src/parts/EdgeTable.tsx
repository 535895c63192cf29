// The boxes of a site.

import { useMemo } from 'preact/hooks';
import { count } from '../format';
import { t } from '../i18n';
import type { EdgeRow } from '../wire';
import { Ago } from './Ago';
import { StateBadge } from './Badge';
import { Certificate } from './Standing';
import { Table, type Column } from './Table';

export function EdgeTable({ rows, zone }: { rows: readonly EdgeRow[]; zone: string }) {
  const words = t.value.site;
  const columns = useMemo<Column<EdgeRow>[]>(() => [
    { key: 'edge', head: words.edge, value: (row) => row.name ?? row.edge_id, cell: (row) => <><span>{row.name ?? row.edge_id.slice(0, 8)}</span>{row.name && <small class="dim id">{row.edge_id.slice(0, 8)}</small>}</> },
    { key: 'state', head: words.state, cell: (row) => <><StateBadge state={row.state} />{row.reasons.map((reason) => <span key={reason} class="reason" lang="en">{reason}</span>)}</> },
    { key: 'heartbeat', head: words.heartbeat, value: (row) => (row.last_heartbeat_at === null ? null : Date.parse(row.last_heartbeat_at)), cell: (row) => <Ago at={row.last_heartbeat_at} zone={zone} /> },
    { key: 'buffered', head: words.backlog, number: true, down: true, value: (row) => row.buffered, cell: (row) => count(row.buffered) },
    { key: 'missing', head: words.missing, number: true, down: true, value: (row) => row.missing, cell: (row) => <span class={row.missing > 0 ? 'worrying' : 'dim'}>{count(row.missing)}</span> },
    { key: 'certificate', head: words.certificate, value: (row) => (row.certificate_until === null ? null : Date.parse(row.certificate_until)), cell: (row) => <Certificate edge={row} zone={zone} /> },
    { key: 'rules', head: words.rulesVersion, cell: (row) => (row.rules_version === null || row.rules_version === undefined ? <span class="dim">{words.own}</span> : `${words.byServer} ${count(row.rules_version)}`) },
    { key: 'version', head: words.version, cell: (row) => row.version ?? t.value.shell.unknown },
  ], [zone, words]);
  return <Table id="edges" caption={words.edges} columns={columns} rows={rows} rowKey={(row) => row.edge_id} tone={(row) => row.state} sortParam="edges" />;
}
