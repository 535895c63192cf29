// The live list, and what to do where there is none.

import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { get } from '../../../../common/ui/api';
import { open, unfiltered } from '../derive';
import { count } from '../format';
import { t } from '../i18n';
import { filter, setFilter, wall } from '../route';
import { history, listed } from '../selection';
import { link, state, zones } from '../store';
import type { Alert } from '../wire';
import { AlertCard } from './AlertCard';
import { Command } from './Command';
import { Filters } from './Filters';

/** Drawn at once; a thousand alerts are a flood, and nobody reads past these before asking for more. */
const PAGE = 60;
/** Drawn on a wall, of which those are shown that fit it. */
const WALL_PAGE = 3;

export function AlertList() {
  const shown = useSignal(PAGE);
  const limit = wall.value ? WALL_PAGE : shown.value;
  const all = listed.value;
  const list = useRef<HTMLOListElement>(null);
  const fits = useFits(list, all.slice(0, limit));
  const rest = all.length - Math.min(limit, fits);
  const query = JSON.stringify(filter.value);
  useEffect(() => {
    shown.value = PAGE;
  }, [query]);
  return (
    <section class="alerts" aria-labelledby="alerts-title">
      <h2 id="alerts-title" tabIndex={-1}>
        {t.value.alerts} <span class="count" data-testid="count">{count(all.length)}</span>
        {wall.value && rest > 0 && <span class="more"> + {t.value.more(rest)}</span>}
      </h2>
      {!wall.value && <Filters />}
      {all.length === 0 && <Empty />}
      <ol class="alert-list" ref={list}>
        {all.slice(0, limit).map((alert, index) => (
          <li key={alert.alert_id} class={index < fits ? '' : 'no-room'}><AlertCard alert={alert} /></li>
        ))}
      </ol>
      {rest > 0 && !wall.value && <button class="more" onClick={() => (shown.value += PAGE)}>{t.value.showMore} ({t.value.more(rest)})</button>}
      {!wall.value && rest <= 0 && pastAsked() && <Older query={query} />}
    </section>
  );
}

/**
 * How many of them a wall has room for whole: half a sentence is none, and nobody scrolls there. All keep their places,
 * so that hiding some changes nothing that is measured.
 */
function useFits(list: RefObject<HTMLElement | null>, drawn: readonly Alert[]): number {
  const fits = useSignal(Infinity);
  useLayoutEffect(() => {
    const [own, room] = [list.current, list.current?.closest('main')];
    if (!wall.value || !own || !room) return;
    const measure = () => {
      const end = room.getBoundingClientRect().bottom;
      fits.value = Math.max(1, [...own.children].filter((one) => one.getBoundingClientRect().bottom <= end).length);
    };
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(room);
    for (const one of own.children) watch.observe(one);
    return () => watch.disconnect();
  }, [wall.value, drawn.map(({ alert_id }) => alert_id).join()]);
  return wall.value ? fits.value : Infinity;
}

const pastAsked = () => ['cleared', 'all', 'silenced'].includes(filter.value.state);

function Older({ query }: { query: string }) {
  const failed = useSignal('');
  const same = history.value.query === query;
  if (same && history.value.next === null) return null;
  const load = async () => {
    const params = new URLSearchParams({ limit: '100' });
    for (const [key, value] of Object.entries(filter.value)) {
      if (value && key !== 'q' && !(key === 'state' && value === 'all')) params.set(key, value);
    }
    if (same && history.value.next) params.set('cursor', history.value.next);
    try {
      const page = await get<{ alerts: Alert[]; next: string | null }>(`/api/v1/alerts?${params}`);
      const alerts = same ? [...history.value.alerts, ...page.alerts] : page.alerts;
      history.value = { alerts: alerts.filter((alert) => !open(alert)), next: page.next, query };
      failed.value = '';
    } catch (error) {
      failed.value = (error as Error).message;
    }
  };
  return (
    <p>
      <button class="more" onClick={() => void load()}>{t.value.older}</button>
      {failed.value && <span role="alert"> {t.value.failed(failed.value)}</span>}
    </p>
  );
}

function Empty() {
  if (link.value.phase !== 'up') return null;
  const { q, ...others } = filter.value;
  const filtered = q !== '' || Object.entries(others).some(([key, value]) => value !== unfiltered[key as keyof typeof others]);
  if (filtered && !wall.value) {
    return (
      <div class="empty">
        <p>{t.value.noMatch}</p>
        <button onClick={() => setFilter(unfiltered)}>{t.value.clearFilter}</button>
      </div>
    );
  }
  if (state.value.kind === 'nodata' && zones.value.every((zone) => zone.lastSeen === null)) {
    return (
      <div class="empty">
        <p>{t.value.noCameras}</p>
        {!wall.value && (
          <>
            <p>{t.value.noCamerasHint}</p>
            <Command text={`smartpick-edge simulate --url ${location.origin} --cameras 12 --rate 50`} />
          </>
        )}
      </div>
    );
  }
  return (
    <div class="empty">
      <p>{t.value.noAlerts}</p>
      {state.value.kind === 'quiet' && !wall.value && <p>{t.value.noAlertsHint}</p>}
    </div>
  );
}
