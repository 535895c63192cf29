// The live list, and what to do where there is none.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
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
/** What fits a wall. */
const WALL_PAGE = 3;

export function AlertList() {
  const shown = useSignal(PAGE);
  const limit = wall.value ? WALL_PAGE : shown.value;
  const all = listed.value;
  const rest = all.length - limit;
  const query = JSON.stringify(filter.value);
  useEffect(() => {
    shown.value = PAGE;
  }, [query]);
  return (
    <section class="alerts" aria-labelledby="alerts-title">
      <h2 id="alerts-title" tabIndex={-1}>
        {t.value.alerts} <span class="count" data-testid="count">{count(all.length)}</span>
      </h2>
      {!wall.value && <Filters />}
      {all.length === 0 && <Empty />}
      <ol class="alert-list">
        {all.slice(0, limit).map((alert) => (
          <li key={alert.alert_id}><AlertCard alert={alert} /></li>
        ))}
      </ol>
      {rest > 0 && (wall.value
        ? <p class="more">+ {t.value.more(rest)}</p>
        : <button class="more" onClick={() => (shown.value += PAGE)}>{t.value.showMore} ({t.value.more(rest)})</button>)}
      {!wall.value && rest <= 0 && pastAsked() && <Older query={query} />}
    </section>
  );
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
