// The first glance: is anything wrong now, where, for how long. To be read from the other end of the hall.

import { age, clock, clockSeconds } from '../format';
import { t } from '../i18n';
import { local, now, site, state } from '../store';
import { ruleName } from '../words';
import { StateIcon } from '../../../../common/ui/parts/Icon';

export function stateTitle(): string {
  const { kind, seen } = state.value;
  return kind === 'alert' && seen ? t.value.state.seen : t.value.state[kind];
}

/** Where, in as few words as there are. */
function where(): string | null {
  const { kind, zones, rules } = state.value;
  if (kind === 'alert') return zones.join(' · ');
  if (kind === 'check') return [...rules.map(ruleName), ...(zones.length > 0 ? [t.value.blind(zones.join(', '))] : [])].join(' · ');
  return null;
}

function sentence(): string {
  const { kind, since, count, silenced } = state.value;
  const also = silenced > 0 ? t.value.silencedGoing(silenced) : '';
  const parts = {
    connecting: () => t.value.connecting,
    lost: () => (site.value ? t.value.lost(clockSeconds(since ?? local.value)) : t.value.lostNever),
    alert: () => t.value.going(count),
    nodata: () => (since === null ? t.value.nodataNever : t.value.nodata(clock(since, now.value))),
    check: () => '',
    quiet: () => t.value.quiet,
  };
  return [parts[kind](), also].filter(Boolean).join('. ');
}

export function stateWords(): string {
  return [stateTitle(), where(), sentence()].filter(Boolean).join('. ');
}

export function StateBand() {
  const { kind, since, seen } = state.value;
  const clockNow = kind === 'lost' || kind === 'connecting' ? local.value : now.value;
  const timed = since !== null && kind !== 'connecting';
  const place = where();
  return (
    <header class={`band ${kind} ${seen ? 'seen' : ''}`} data-state={kind} data-testid="state">
      <StateIcon kind={kind} />
      <div class="band-words">
        <h1>{stateTitle()}</h1>
        {place && <p class="band-where">{place}</p>}
        <p class="band-sentence">{sentence()}</p>
      </div>
      {timed && (
        <p class="band-age">
          <span class="visually-hidden">{t.value.since} </span>
          <time>{age(clockNow - since)}</time>
        </p>
      )}
    </header>
  );
}
