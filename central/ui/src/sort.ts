// In which order a table's rows are. Pure.

/** A column and which way; in the URL as `name` or `-name`. */
export interface Order {
  key: string;
  down: boolean;
}

export function readOrder(text: string): Order | null {
  const down = text.startsWith('-');
  const key = down ? text.slice(1) : text;
  return key ? { key, down } : null;
}

export const writeOrder = ({ key, down }: Order) => (down ? `-${key}` : key);

/** Numbers and texts of one column; what is not known comes last whichever way. */
export type Value = number | string | null;

export function compareValues(a: Value, b: Value, down: boolean, byName: (a: string, b: string) => number): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  const way = typeof a === 'string' || typeof b === 'string' ? byName(String(a), String(b)) : a - b;
  return down ? -way : way;
}
