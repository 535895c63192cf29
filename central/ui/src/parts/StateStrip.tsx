// How the states of a site followed each other, as a strip: a worse state stands higher, so that it is not the colour
// alone that tells; the same as a table for those who cannot see it.

import { about, clock } from '../format';
import { t } from '../i18n';
import { pieces, type Piece } from '../strip';
import type { SiteState } from '../wire';
import { stateWord } from './Badge';

const WIDTH = 1000;
const HEIGHT = 40;
const SHARE: Record<SiteState, number> = { healthy: 0.35, unknown: 0.5, degraded: 0.6, stale: 0.8, offline: 1 };

const word = (state: SiteState | null) => (state === null ? t.value.site.unrecorded : stateWord(state));

interface Props {
  what: string;
  records: readonly { at: string; state: SiteState; reasons: readonly string[] }[];
  from: number;
  to: number;
  zone: string;
}

export function StateStrip({ what, records, from, to, zone }: Props) {
  const all = pieces(records, from, to);
  const x = (at: number) => ((at - from) / (to - from)) * WIDTH;
  return (
    <figure class="strip" data-testid="strip">
      <figcaption>{what}</figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={sentence(what, all)}>
        {all.map((piece) => {
          const height = HEIGHT * (piece.state === null ? 0.12 : SHARE[piece.state]);
          return (
            <rect key={piece.from} class={piece.state ?? 'nothing'} x={x(piece.from)} width={Math.max(x(piece.to) - x(piece.from), 1.5)} y={HEIGHT - height} height={height}>
              <title>{`${word(piece.state)}: ${clock(piece.from, to, zone)} – ${clock(piece.to, to, zone)}${piece.reasons.length > 0 ? `\n${piece.reasons.join('\n')}` : ''}`}</title>
            </rect>
          );
        })}
      </svg>
    </figure>
  );
}

/** How long it was in each state, the longest first. */
function sentence(what: string, all: readonly Piece[]): string {
  const sums = new Map<string, number>();
  for (const { state, from, to } of all) sums.set(word(state), (sums.get(word(state)) ?? 0) + to - from);
  const parts = [...sums].sort((a, b) => b[1] - a[1]).map(([state, time]) => `${state} ${about(time / 1000)}`);
  return `${t.value.site.historyOf(what)}: ${parts.join(', ')}`;
}

/** The times below the strips. */
export function StripAxis({ from, to, zone }: { from: number; to: number; zone: string }) {
  const steps = [0, 0.25, 0.5, 0.75, 1].map((share) => from + share * (to - from));
  return <p class="strip-axis" aria-hidden="true">{steps.map((at) => <span key={at}>{clock(at, to, zone)}</span>)}</p>;
}
