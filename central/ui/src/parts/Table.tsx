// A table to read, sort and walk: real rows and headers for those who hear it, cards on a phone, and no more rows drawn
// than somebody has come to see, so that five hundred stay fluid.

import { useSignal } from '@preact/signals';
import { Component, type ComponentChildren, type RefObject } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { byName } from '../format';
import { t } from '../i18n';
import { param, setQuery } from '../route';
import { compareValues, readOrder, writeOrder, type Value } from '../sort';

export interface Column<T> {
  key: string;
  head: string;
  cell: (row: T) => ComponentChildren;
  /** What it is sorted by; without it the column cannot be. */
  value?: (row: T) => Value;
  /** The first press sorts from the top. */
  down?: boolean;
  number?: boolean;
  /** Says nothing for this row, so that a phone leaves it out. */
  blank?: (row: T) => boolean;
}

interface Props<T> {
  id: string;
  caption: string;
  /** Must stay the same object while its cells would show the same; the first is the row's head. */
  columns: readonly Column<T>[];
  /** Already in the order that holds when none is chosen. */
  rows: readonly T[];
  rowKey: (row: T) => string;
  /** Adds to the row's class. */
  tone?: (row: T) => string;
  /** Name in the URL; two tables on one page need two. */
  sortParam?: string;
}

const PAGE = 60;

export function Table<T>({ id, caption, columns, rows, rowKey, tone, sortParam = 'sort' }: Props<T>) {
  const shown = useSignal(PAGE);
  const end = useRef<HTMLButtonElement>(null);
  const order = readOrder(param(sortParam, ''));
  const by = columns.find((column) => column.key === order?.key && column.value);
  const down = order?.down ?? false;
  const sorted = useMemo(() => {
    const value = by?.value;
    if (!value) return rows;
    return rows.map((row, index) => ({ row, index, value: value(row) }))
      .sort((a, b) => compareValues(a.value, b.value, down, byName) || a.index - b.index)
      .map(({ row }) => row);
  }, [rows, by, down]);
  const rest = sorted.length - shown.value;
  useMore(end, rest > 0, () => (shown.value += PAGE));
  const press = (column: Column<T>) => {
    const first = column.down ?? false;
    const next = by?.key !== column.key ? { key: column.key, down: first } : down === first ? { key: column.key, down: !first } : null;
    setQuery({ [sortParam]: next && writeOrder(next) });
  };
  return (
    <div class="table-box">
      <table id={id} class="grid" role="table" aria-rowcount={sorted.length + 1} data-testid={id}>
        <caption class="visually-hidden">{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <th key={column.key} role="columnheader" scope="col" class={column.number ? 'number' : ''}
                aria-sort={by?.key === column.key ? (down ? 'descending' : 'ascending') : undefined}>
                {column.value
                  ? <button class="sort" onClick={() => press(column)}>{column.head}<span aria-hidden="true">{by?.key !== column.key ? '' : down ? ' ▾' : ' ▴'}</span></button>
                  : column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {sorted.slice(0, shown.value).map((row) => <Row key={rowKey(row)} id={rowKey(row)} row={row} columns={columns as readonly Column<unknown>[]} tone={tone?.(row) ?? ''} />)}
        </tbody>
      </table>
      {rest > 0 && <button ref={end} class="more" onClick={() => (shown.value += PAGE)}>{t.value.shell.more(rest)}</button>}
    </div>
  );
}

interface RowProps {
  id: string;
  row: unknown;
  columns: readonly Column<unknown>[];
  tone: string;
}

/** Drawn again only if the row is another object, or a signal changed that a cell has read, which comes as a new state. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps, state: unknown): boolean {
    return state !== this.state || next.row !== this.props.row || next.columns !== this.props.columns || next.tone !== this.props.tone;
  }

  render({ id, row, columns, tone }: RowProps) {
    const [first, ...others] = columns;
    return (
      <tr role="row" class={tone} data-row={id}>
        <th scope="row" role="rowheader">{first!.cell(row)}</th>
        {others.map((column) => (
          <td key={column.key} role="cell" class={column.number ? 'number' : ''} data-label={column.head} data-blank={column.blank?.(row) || undefined}>{column.cell(row)}</td>
        ))}
      </tr>
    );
  }
}

/** Asks for more when its end comes into sight. */
function useMore(end: RefObject<HTMLElement | null>, there: boolean, more: () => void): void {
  useEffect(() => {
    const own = end.current;
    if (!own || !there) return;
    const sight = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && more(), { rootMargin: '400px' });
    sight.observe(own);
    return () => sight.disconnect();
  });
}
