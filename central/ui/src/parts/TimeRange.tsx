// Chooses from when to when, in the site's time zone. The choice is in the URL: `range`, and for a custom one `from` and
// `to` as the site's clocks show them.

import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { day, time } from '../format';
import { t } from '../i18n';
import { PRESETS, resolve, writeLocal, type Preset, type Range, type Shift } from '../range';
import { param, query, setQuery } from '../route';
import { now } from '../store';

/** Both ends with their day: "00:00 – 04:07" would hide a week. */
const at = (when: number, zone: string) => `${day(when, zone)} ${time(when, zone)}`;

/** What shows the present is asked for anew this often. */
const REFRESH_MS = 300_000;

export interface Chosen {
  preset: Preset;
  /** RFC 3339, for the API; `null` where the choice is no range. */
  from: string | null;
  to: string | null;
  range: Range | null;
}

/** The range that the URL asks for, in this zone. */
export function useRange(zone: string, shifts: readonly Shift[], fallback: Preset = '7d'): Chosen {
  const preset = param<Preset>('range', fallback, PRESETS);
  const [from, to] = [query.value.get('from') ?? '', query.value.get('to') ?? ''];
  const step = Math.floor(now.value / REFRESH_MS);
  return useMemo(() => {
    const range = resolve({ preset, from, to }, zone, shifts, now.peek());
    return { preset, range, from: range && new Date(range.from).toISOString(), to: range && new Date(range.to).toISOString() };
  }, [preset, from, to, zone, shifts, step]);
}

interface Props {
  zone: string;
  shifts: readonly Shift[];
  chosen: Chosen;
}

export function TimeRange({ zone, shifts, chosen }: Props) {
  const custom = useSignal(chosen.preset === 'custom');
  const words = t.value.shell.range;
  const presets = PRESETS.filter((preset) => preset !== 'last-shift' || shifts.length > 0);
  const choose = (preset: Preset) => {
    custom.value = preset === 'custom';
    if (preset !== 'custom') return setQuery({ range: preset, from: null, to: null }, true);
    const own = chosen.range ?? { from: now.peek() - 86_400_000, to: now.peek() };
    setQuery({ range: 'custom', from: writeLocal(zone, own.from), to: writeLocal(zone, own.to) }, true);
  };
  return (
    <div class="range" role="group" aria-label={words.label} data-testid="range">
      <div class="tabs">
        {presets.map((preset) => (
          <button key={preset} type="button" aria-pressed={chosen.preset === preset} onClick={() => choose(preset)}>{words.presets[preset]}</button>
        ))}
      </div>
      {custom.value && (
        <div class="range-custom">
          {(['from', 'to'] as const).map((end) => (
            <label key={end}>
              <span>{words[end]}</span>
              <input type="datetime-local" value={query.value.get(end) ?? ''} onChange={(event) => setQuery({ range: 'custom', [end]: event.currentTarget.value })} />
            </label>
          ))}
        </div>
      )}
      <p class={chosen.range ? 'dim' : 'wrong'} role="status">
        {chosen.range
          ? `${at(chosen.range.from, zone)} – ${at(chosen.range.to, zone)} · ${zone}`
          : words.wrong}
      </p>
    </div>
  );
}
