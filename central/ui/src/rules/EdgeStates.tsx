// How many edges go by the rules, wait for them, refuse them: worst first, each with its sign.

import { Shape, SHAPES } from '../../../../common/ui/parts/Icon';
import { t } from '../i18n';
import type { EdgeRules } from './wire';

const ORDER = ['refused', 'waiting', 'own', 'applied'] as const;

const SIGNS: Record<EdgeRules['state'], string> = { refused: SHAPES.check, waiting: SHAPES.connecting, own: SHAPES.nodata, applied: SHAPES.quiet };
/** As bad as sites in these states. */
const AS: Record<EdgeRules['state'], string> = { refused: 'degraded', waiting: 'stale', own: 'unknown', applied: 'healthy' };

export function EdgeState({ state }: { state: EdgeRules['state'] }) {
  return <span class={`badge plain ${AS[state]}`} data-rules-state={state}><Shape d={SIGNS[state]} /> {t.value.rules.edgeState[state]}</span>;
}

export function EdgeCounts({ counts }: { counts: Record<EdgeRules['state'], number> }) {
  const shown = ORDER.filter((state) => counts[state] > 0);
  if (shown.length === 0) return <span class="dim">{t.value.rules.none}</span>;
  return <>{shown.map((state) => <span key={state} class={`badge plain counted ${AS[state]}`}><Shape d={SIGNS[state]} /> {t.value.rules.counts[state](counts[state])}</span>)}</>;
}
