// A history of states as pieces without gaps. Pure.

import type { SiteState } from './wire';

export interface Piece {
  /** `null`: nothing is recorded, which is not the same as well. */
  state: SiteState | null;
  from: number;
  to: number;
  reasons: readonly string[];
}

/** Pieces from `from` to `to`, ms. A record holds until the next; before the first nothing is known. */
export function pieces(records: readonly { at: string; state: SiteState; reasons: readonly string[] }[], from: number, to: number): Piece[] {
  const sorted = records.map((record) => ({ ...record, time: Date.parse(record.at) })).sort((a, b) => a.time - b.time);
  const found: Piece[] = [];
  let last: Piece = { state: null, from, to, reasons: [] };
  for (const { time, state, reasons } of sorted) {
    if (time >= to) break;
    if (time > last.from) found.push({ ...last, to: time });
    last = { state, from: Math.max(time, from), to, reasons };
  }
  found.push(last);
  // One that only says more reasons is the same piece to the eye.
  return found.reduce<Piece[]>((joined, piece) => {
    const before = joined[joined.length - 1];
    if (before && before.state === piece.state && before.to === piece.from) {
      joined[joined.length - 1] = { ...before, to: piece.to, reasons: piece.reasons };
    } else joined.push(piece);
    return joined;
  }, []);
}

/** What waited at a site over time: the sum of what each edge said last, and `null` where none had said anything for a while. */
export function backlogCurve(beats: readonly { at: string; edge_id: string; live: number; backlog: number }[], quiet: number): { times: number[]; waiting: (number | null)[] } {
  const sorted = beats.map((beat) => ({ ...beat, time: Date.parse(beat.at) })).sort((a, b) => a.time - b.time);
  const last = new Map<string, { time: number; sum: number }>();
  const times: number[] = [];
  const waiting: (number | null)[] = [];
  let before: number | null = null;
  for (const { time, edge_id, live, backlog } of sorted) {
    // Silence is a gap in the line, never a straight one over what nobody knows.
    if (before !== null && time - before > quiet) {
      times.push(before + 1);
      waiting.push(null);
    }
    last.set(edge_id, { time, sum: live + backlog });
    const sum = [...last.values()].reduce((all, one) => all + (time - one.time > quiet ? 0 : one.sum), 0);
    if (before === time) waiting[waiting.length - 1] = sum;
    else {
      times.push(time);
      waiting.push(sum);
    }
    before = time;
  }
  return { times, waiting };
}
