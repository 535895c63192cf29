// What a screen reader says by itself: a change of the big state, and new alerts; no more than one sentence at a time, a
// flood in one.

import { effect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { speaker, Spoken } from '../../../../common/ui/parts/Spoken';
import { wanting } from '../derive';
import { t } from '../i18n';
import { alerts, state } from '../store';
import { place } from '../words';
import { stateWords } from './StateBand';

export function Announcer() {
  useEffect(() => watch(), []);
  return <Spoken />;
}

function watch(): () => void {
  let known = new Set<string>();
  let kind = '';
  let fresh: string[] = [];
  const { nudge, stop } = speaker(() => {
    const news = fresh.length > 0 ? t.peek().fresh(fresh.length, fresh[fresh.length - 1]!) : kind !== state.peek().kind ? stateWords() : '';
    kind = state.peek().kind;
    fresh = [];
    return news;
  });
  const end = effect(() => {
    const now = [...alerts.value.values()].filter(wanting);
    fresh.push(...now.filter((alert) => !known.has(alert.alert_id)).map(place));
    known = new Set(now.map((alert) => alert.alert_id));
    if (fresh.length > 0 || state.value.kind !== kind) nudge();
  });
  return () => {
    end();
    stop();
  };
}
