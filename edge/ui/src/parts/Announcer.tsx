// What a screen reader says by itself: a change of the big state, and new alerts; no more than one sentence at a time, a
// flood in one.

import { effect, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { wanting } from '../derive';
import { t } from '../i18n';
import { alerts, state } from '../store';
import { place } from '../words';
import { stateWords } from './StateBand';

/** Time to hear one sentence before the next. */
const PAUSE_MS = 4_000;

export function Announcer() {
  useEffect(() => watch(), []);
  return <p class="visually-hidden" role="status" aria-live="polite">{spoken.value}</p>;
}

const spoken = signal('');

function watch(): () => void {
  let known = new Set<string>();
  let kind = '';
  let fresh: string[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const say = () => {
    timer = undefined;
    const parts = [];
    if (fresh.length > 0) parts.push(t.peek().fresh(fresh.length, fresh[fresh.length - 1]!));
    else if (kind !== state.peek().kind) parts.push(stateWords());
    kind = state.peek().kind;
    fresh = [];
    if (parts.length === 0) return;
    spoken.value = parts.join('. ');
    timer = setTimeout(say, PAUSE_MS);
  };
  const stop = effect(() => {
    const now = [...alerts.value.values()].filter(wanting);
    fresh.push(...now.filter((alert) => !known.has(alert.alert_id)).map(place));
    known = new Set(now.map((alert) => alert.alert_id));
    if (fresh.length > 0 || state.value.kind !== kind) timer ??= setTimeout(say, 300);
  });
  return () => {
    stop();
    clearTimeout(timer);
  };
}
