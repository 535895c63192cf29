// The heat map as rows and cells, and how the arrow keys walk over them.

import type { Figures, HeatMap } from './wire';

export interface Row {
  zone_id: string;
  name: string | null;
  /** One for each hour of the day; `null` if the answer has none, which means no data. */
  cells: (Figures | null)[];
}

export const HOURS = 24;

export function rows(map: HeatMap): Row[] {
  const known = new Map(map.cells.map((cell) => [`${cell.zone_id} ${cell.hour}`, cell]));
  return map.zones.map(({ zone_id, name }) => ({
    zone_id,
    name,
    cells: Array.from({ length: HOURS }, (_, hour) => known.get(`${zone_id} ${hour}`) ?? null),
  }));
}

export interface Place {
  row: number;
  hour: number;
}

/** Where a key leads; `null` if it is not one that moves. */
export function moved(key: string, { row, hour }: Place, height: number): Place | null {
  const within = (value: number, end: number) => Math.min(Math.max(value, 0), end - 1);
  switch (key) {
    case 'ArrowLeft': return { row, hour: within(hour - 1, HOURS) };
    case 'ArrowRight': return { row, hour: within(hour + 1, HOURS) };
    case 'ArrowUp': return { row: within(row - 1, height), hour };
    case 'ArrowDown': return { row: within(row + 1, height), hour };
    case 'Home': return { row, hour: 0 };
    case 'End': return { row, hour: HOURS - 1 };
    default: return null;
  }
}
