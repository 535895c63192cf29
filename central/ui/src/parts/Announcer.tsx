// What a screen reader says by itself: new alerts, and sites that get worse; a flood in one sentence.

import { effect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { speaker, Spoken } from '../../../../common/ui/parts/Spoken';
import { STATES } from '../fleet';
import { t } from '../i18n';
import { alerts, siteName, sites, told } from '../store';
import { place } from '../words';
import { stateWord } from './Badge';

export function Announcer() {
  useEffect(() => watch(), []);
  return <Spoken />;
}

function watch(): () => void {
  let known: Set<string> | null = null;
  let states = new Map<string, number>();
  let fresh: string[] = [];
  let worse: string[] = [];
  const { nudge, stop } = speaker(() => {
    const news = fresh.length > 0 ? t.peek().alerts.fresh(fresh.length, fresh[fresh.length - 1]!) : '';
    const words = [news, ...worse.slice(0, 2)].filter(Boolean).join('. ');
    [fresh, worse] = [[], []];
    return words;
  });
  const end = effect(() => {
    if (!told.value) return;
    const wanting = [...alerts.value.values()].filter(({ state, silenced }) => state === 'raised' && !silenced);
    // What was there when we came is on the page, not news.
    if (known) fresh.push(...wanting.filter(({ alert_id }) => !known?.has(alert_id)).map((alert) => `${place(alert)}, ${siteName(alert.warehouse_id)}`));
    const before = states;
    states = new Map([...sites.value.values()].map(({ warehouse_id, state }) => [warehouse_id, STATES.indexOf(state)]));
    for (const [id, rank] of states) {
      const was = before.get(id);
      if (was !== undefined && rank < was) worse.push(t.peek().fleet.fresh(siteName(id), stateWord(STATES[rank]!)));
    }
    known = new Set(wanting.map(({ alert_id }) => alert_id));
    if (fresh.length > 0 || worse.length > 0) nudge();
  });
  return () => {
    end();
    stop();
  };
}
