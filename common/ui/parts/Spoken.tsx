// What a screen reader says by itself: one sentence at a time, with time to hear it before the next.

import { signal } from '@preact/signals';

/** Time to hear one sentence before the next. */
const PAUSE_MS = 4_000;
/** What comes together is said together. */
const GATHER_MS = 300;

const spoken = signal('');

export function Spoken() {
  return <p class="visually-hidden" role="status" aria-live="polite">{spoken.value}</p>;
}

/** Asks `next` for what is to be said, now and after each pause, until it has nothing. */
export function speaker(next: () => string): { nudge: () => void; stop: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const say = () => {
    timer = undefined;
    const words = next();
    if (!words) return;
    spoken.value = words;
    timer = setTimeout(say, PAUSE_MS);
  };
  return { nudge: () => (timer ??= setTimeout(say, GATHER_MS)), stop: () => clearTimeout(timer) };
}
