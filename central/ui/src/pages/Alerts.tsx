// The alerts of all sites, live; and those that are over, asked for.

import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { get } from '../../../../common/ui/api';
import { admits, open, order, STATES, type Filter } from '../alerts';
import { byName, count } from '../format';
import { t } from '../i18n';
import { ask } from '../load';
import { AlertTable } from '../parts/AlertTable';
import { Empty, Loading } from '../parts/Empty';
import { href, param, setQuery } from '../route';
import { useNames } from '../settings';
import { alerts, sites, told } from '../store';
import type { Alert } from '../wire';
import { searchable } from '../words';
import { ADD_EDGE } from '../commands';

function useFilter(): Filter {
  return {
    state: param<Filter['state']>('state', 'open', STATES), site: param('site', ''), severity: param('severity', '', ['critical', 'warning', 'notice', '']),
    subject: param('subject', '', ['risk', 'system', '']), q: param('q', ''),
  };
}

interface Past {
  query: string;
  alerts: Alert[];
  next: string | null;
}

const FIRST: Past = { query: '', alerts: [], next: null };

/** What the live list does not hold: asked for when a filter wants it, and then page by page. */
function usePast(filter: Filter): { past: Past; failed: string; more: () => void; loading: boolean } {
  const [past, failed, loading] = [useSignal(FIRST), useSignal(''), useSignal(false)];
  const wanted = filter.state === 'cleared' || filter.state === 'silenced';
  const query = wanted ? JSON.stringify([filter.state, filter.site, filter.severity]) : '';
  const load = async (cursor: string | null) => {
    loading.value = true;
    try {
      const page = await get<{ alerts: Alert[]; next: string | null }>(ask('/api/v1/alerts', { state: filter.state, warehouse_id: filter.site, severity: filter.severity, limit: 100, cursor }));
      past.value = { query, alerts: [...(cursor === null ? [] : past.peek().alerts), ...page.alerts], next: page.next };
      failed.value = '';
    } catch (error) {
      failed.value = (error as Error).message;
    }
    loading.value = false;
  };
  useEffect(() => {
    if (wanted) void load(null);
  }, [query]);
  return { past: past.value.query === query ? past.value : FIRST, failed: failed.value, more: () => void load(past.value.next), loading: loading.value };
}

export function Alerts() {
  const filter = useFilter();
  const words = t.value.alerts;
  const { past, failed, more, loading } = usePast(filter);
  const live = alerts.value;
  const all = useMemo(() => {
    const found = new Map(past.alerts.map((alert) => [alert.alert_id, alert]));
    for (const [id, alert] of live) found.set(id, alert);
    return [...found.values()];
  }, [live, past]);
  useNames([...new Set(all.map(({ warehouse_id }) => warehouse_id))]);
  const shown = all.filter((alert) => admits(filter, alert, searchable(alert))).sort(order);
  if (!told.value) return <><h1 tabIndex={-1}>{words.title}</h1><Loading /></>;
  const heading = <h1 tabIndex={-1}>{words.title} <span class="count" data-testid="count">{count(shown.length)}</span></h1>;
  return (
    <>
      <div class="title-row">{heading}<a class="button" href={href('/silences')}>{words.silences}</a></div>
      <Filters filter={filter} />
      {failed && <p role="alert" class="wrong">{t.value.shell.failed(failed)}</p>}
      {shown.length === 0 ? (loading ? <Loading /> : <Nothing filter={filter} />) : <AlertTable id="alerts" rows={shown} site />}
      {past.next !== null && <button class="more" disabled={loading} onClick={more}>{t.value.shell.older}</button>}
    </>
  );
}

function Nothing({ filter }: { filter: Filter }) {
  const words = t.value.alerts;
  const filtered = filter.site || filter.severity || filter.subject || filter.q || filter.state !== 'open';
  if (filtered) {
    return <Empty title={words.noMatch}><button onClick={() => setQuery({ state: null, site: null, severity: null, subject: null, q: null })}>{t.value.shell.clearFilter}</button></Empty>;
  }
  if (sites.value.size === 0) return <Empty title={words.noneYet} command={ADD_EDGE} />;
  // Nobody heard is not nobody at risk.
  const blind = [...sites.value.values()].every(({ state }) => state === 'offline' || state === 'unknown');
  return blind ? <Empty title={words.noneData} hint={words.none} /> : <Empty title={words.none} hint={words.noneHint} />;
}

function Filters({ filter }: { filter: Filter }) {
  const words = t.value.alerts;
  const all = [...sites.value.values()].map(({ warehouse_id, name }): [string, string] => [warehouse_id, name ?? warehouse_id]).sort((a, b) => byName(a[1], b[1]));
  const waiting = [...alerts.value.values()].filter((alert) => open(alert) && alert.state === 'raised' && !alert.silenced).length;
  return (
    <div class="tools" role="search" aria-label={t.value.shell.filter}>
      <div class="tabs" role="group" aria-label={words.state}>
        {STATES.map((state) => (
          <button key={state} aria-pressed={filter.state === state} onClick={() => setQuery({ state: state === 'open' ? null : state }, true)}>
            {words.states[state]}{state === 'raised' && waiting > 0 && <strong> {count(waiting)}</strong>}
          </button>
        ))}
      </div>
      <Choice label={words.site} value={filter.site} name="site" options={all} />
      <Choice label={words.severity} value={filter.severity} name="severity" options={(['critical', 'warning', 'notice'] as const).map((one) => [one, t.value.shell.severity[one]])} />
      <Choice label={words.kind} value={filter.subject} name="subject" options={(['risk', 'system'] as const).map((one) => [one, words.subject[one]])} />
      <label class="search">
        <span>{t.value.shell.search}</span>
        <input type="search" value={filter.q} onInput={(event) => setQuery({ q: event.currentTarget.value })} />
      </label>
    </div>
  );
}

/** One of a few, kept in the URL under `name`. */
export function Choice({ label, value, name, options }: { label: string; value: string; name: string; options: readonly [string, string][] }) {
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => setQuery({ [name]: event.currentTarget.value }, true)}>
        <option value="">{t.value.shell.any}</option>
        {value && !options.some(([own]) => own === value) && <option value={value}>{value}</option>}
        {options.map(([own, text]) => <option key={own} value={own}>{text}</option>)}
      </select>
    </label>
  );
}
