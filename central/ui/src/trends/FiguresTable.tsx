// Zones, sites or buckets, each with its figures: the same columns everywhere. A row without figures says why, and is last
// whichever way it is sorted.

import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { count, share } from '../format';
import { language, t } from '../i18n';
import { Table, type Column } from '../parts/Table';
import { atRisk, known } from './figures';
import type { Figures } from './wire';
import { coverage, score, span, without } from './words';

export interface FiguresRow {
  key: string;
  name: string;
  figures: Figures;
  /** Where its figures are shown in full. */
  link?: string;
}

interface Props {
  id: string;
  caption: string;
  /** What a row is. */
  head: string;
  rows: readonly FiguresRow[];
  /** Rows have an order of their own, by which they can be sorted back. */
  byName?: boolean;
  /** Whether it is known how much of the time was seen. */
  covered?: boolean;
}

export function FiguresTable({ id, caption, head, rows, byName = true, covered = true }: Props) {
  const columns = useMemo(() => makeColumns(head, byName, covered), [head, byName, covered, language.value]);
  return <Table id={id} caption={caption} columns={columns} rows={rows} rowKey={({ key }) => key} tone={({ figures }) => known(figures)} sortParam={`${id}-sort`} />;
}

function makeColumns(head: string, byName: boolean, covered: boolean): Column<FiguresRow>[] {
  const w = t.value.figures;
  const number = (key: string, title: string, value: (own: Figures) => number | null, cell: (own: Figures) => ComponentChildren): Column<FiguresRow> => ({
    key,
    head: title,
    number: true,
    down: true,
    value: ({ figures }) => (known(figures) === 'data' ? value(figures) : null),
    cell: ({ figures }) => (known(figures) === 'data' ? cell(figures) : <span aria-hidden="true">–</span>),
  });
  return [
    {
      key: 'name', head, cell: ({ name, link }) => (link ? <a href={link}>{name}</a> : name),
      ...(byName && { value: ({ name }: FiguresRow) => name }),
    },
    {
      ...number('risk', w.atRisk, atRisk, () => null),
      cell: ({ figures }) => without(figures) ? <span class={`why ${known(figures)}`}>{without(figures)}</span> : <RiskShare part={atRisk(figures)} />,
    },
    number('observed', w.observed, (own) => own.seconds_observed, (own) => span(own.seconds_observed ?? 0)),
    number('mean', w.mean, (own) => own.mean, (own) => score(own.mean)),
    number('p95', w.p95, (own) => own.p95, (own) => score(own.p95)),
    number('max', w.max, (own) => own.max, (own) => score(own.max)),
    ...(covered ? [number('coverage', w.coverage, (own) => own.coverage, (own) => coverage(own.coverage))] : []),
    number('people', w.people, (own) => own.people, (own) => (own.people === null ? w.unknown : count(own.people))),
    number('events', w.events, (own) => own.events, (own) => count(own.events ?? 0)),
  ];
}

function RiskShare({ part }: { part: number | null }) {
  if (part === null) return <>{t.value.figures.unknown}</>;
  return <span class="risk-share"><strong>{share(part)}</strong><span class="risk-bar" aria-hidden="true"><span style={{ width: `${part * 100}%` }} /></span></span>;
}
