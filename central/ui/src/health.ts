// How headquarters itself is: its sites can be well while its Redis is down and nothing is taken in. Nothing else tells a
// page of it, so it is asked for as long as somebody looks.

import { signal } from '@preact/signals';
import { get } from '../../../common/ui/api';
import type { HeadquartersHealth } from './wire';

const EVERY_MS = 5_000;
/** What is wrong is read aloud when it changes; figures in its words do with less. */
const FIGURES_EVERY_MS = 60_000;

/** What is wrong with headquarters; `null` while nothing is, or nobody can say. */
export const ill = signal<HeadquartersHealth | null>(null);

let timer: ReturnType<typeof setTimeout> | undefined;
let changedAt = 0;

/** Begins, unless it has. */
export function watchHealth(): void {
  timer ??= setTimeout(() => void turn(), 0);
}

export function unwatchHealth(): void {
  clearTimeout(timer);
  timer = undefined;
  ill.value = null;
}

async function turn(): Promise<void> {
  if (document.visibilityState === 'visible') {
    let found: HeadquartersHealth | null = null;
    try {
      found = await get<HeadquartersHealth>('/streams/health');
    } catch {
      // Whether it can be reached at all is said by the line.
    }
    if (timer === undefined) return;
    const next = found && found.status !== 'healthy' && Array.isArray(found.reasons) && Array.isArray(found.codes) ? found : null;
    if (which(next) !== which(ill.peek()) || Date.now() - changedAt > FIGURES_EVERY_MS) [ill.value, changedAt] = [next, Date.now()];
  }
  // One may have begun meanwhile, when the page came into sight.
  clearTimeout(timer);
  timer = setTimeout(() => void turn(), EVERY_MS);
}

const which = (one: HeadquartersHealth | null) => one && `${one.status} ${one.codes.join(' ')}`;

addEventListener('visibilitychange', () => {
  if (timer === undefined || document.visibilityState !== 'visible') return;
  clearTimeout(timer);
  timer = setTimeout(() => void turn(), 0);
});
