// A state as shape, word and colour, so that each alone says it.

import { Shape, SHAPES } from '../../../../common/ui/parts/Icon';
import { t } from '../i18n';
import type { Completeness, SiteState } from '../wire';

const CLOCK = 'M12 1a11 11 0 1 1 0 22 11 11 0 0 1 0-22zm-1.400 4.500v7.600l5.200 3.600 1.500-2.300-3.900-2.700V5.500z';

/** A letter that could not be delivered. */
const LETTER = 'M1 4h22v16H1zm3 3 8 6 8-6z';

const STATES: Record<SiteState, string> = {
  healthy: SHAPES.quiet,
  degraded: SHAPES.check,
  stale: CLOCK,
  offline: SHAPES.lost,
  unknown: SHAPES.nodata,
};

export const stateWord = (state: SiteState) => t.value.shell.state[state] ?? state;

export function StateShape({ state }: { state: SiteState }) {
  return <Shape d={STATES[state] ?? SHAPES.nodata} />;
}

export function StateBadge({ state }: { state: SiteState }) {
  return <span class={`badge ${state}`} data-state={state}><StateShape state={state} /> {stateWord(state)}</span>;
}

const COMPLETENESS: Record<Completeness['state'], string> = {
  complete: SHAPES.quiet,
  filling: CLOCK,
  missing: SHAPES.check,
  dead_lettered: LETTER,
  unknown: SHAPES.nodata,
};
/** The same colours as the states of sites that are as good or bad. */
const AS: Record<Completeness['state'], SiteState> = { complete: 'healthy', filling: 'stale', missing: 'degraded', dead_lettered: 'degraded', unknown: 'unknown' };

/** "complete", "filling (backlog 12,400, about 3 min)", "17 missing", in the reader's language. */
export function completenessWords({ state, missing, backlog, drain_seconds, dead = 0 }: Omit<Completeness, 'text'>): string {
  const words = t.value.shell.completeness;
  switch (state) {
    case 'complete':
      return words.complete;
    case 'filling':
      return words.filling(backlog, drain_seconds);
    case 'missing':
      return words.missing(missing);
    case 'dead_lettered':
      return words.dead(dead);
    default:
      return words.unknown;
  }
}

/** `words`: instead of the usual ones. */
export function CompletenessBadge({ own, words }: { own: Omit<Completeness, 'text'>; words?: string }) {
  return (
    <span class={`badge plain ${AS[own.state] ?? 'unknown'}`} data-completeness={own.state}>
      <Shape d={COMPLETENESS[own.state] ?? SHAPES.nodata} /> {words ?? completenessWords(own)}
    </span>
  );
}
