// Hands on a keyboard: j and k walk the rows of a view, / goes to a site, ? helps; what a row may do more, its view says.

import { signal } from '@preact/signals';
import { startKeys as listen } from '../../../common/ui/keys';

export const helping = signal(false);

/** What the view on the screen does with a key on the row that has the focus. Returns whether it meant something. */
export const rowKeys = signal<((key: string, row: string | null) => boolean) | null>(null);

export const startKeys = () => listen(act);

/** The row that holds the focus. */
export const focusedRow = () => document.activeElement?.closest<HTMLElement>('[data-row]')?.dataset.row ?? null;

function act(key: string): boolean {
  switch (key) {
    case 'j':
      return step(1);
    case 'k':
      return step(-1);
    case '/':
      document.getElementById('find')?.focus();
      return true;
    case '?':
      helping.value = true;
      return true;
    default:
      return rowKeys.value?.(key, focusedRow()) ?? false;
  }
}

/** The focus itself walks, so that Enter, a screen reader and the eye are all at the same row. */
export function step(by: number): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')];
  if (rows.length === 0) return false;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1)]!;
  const target = next.querySelector<HTMLElement>('a, button') ?? next;
  target.focus({ preventScroll: true });
  next.scrollIntoView({ block: 'nearest' });
  return true;
}
