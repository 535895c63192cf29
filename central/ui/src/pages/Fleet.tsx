// Every site at a glance, the worst on top.

import { computed } from '@preact/signals';
import { ADD_EDGE } from '../commands';
import { STATES, meant, summary, worstFirst } from '../fleet';
import { about, amount, byName, count } from '../format';
import { language, t } from '../i18n';
import { Ago } from '../parts/Ago';
import { CompletenessBadge, StateBadge, StateShape, stateWord } from '../parts/Badge';
import { Empty, Loading } from '../parts/Empty';
import { Table, type Column } from '../parts/Table';
import { href, param, setQuery } from '../route';
import { present, sites, slow, told } from '../store';
import type { SiteRow } from '../wire';

export const siteTitle = (site: Pick<SiteRow, 'name' | 'warehouse_id'>) => site.name ?? site.warehouse_id.slice(0, 8);

const columns = computed<readonly Column<SiteRow>[]>(() => {
  const words = t.value.fleet;
  // A new language is a new set of columns.
  void language.value;
  return [
    { key: 'site', head: words.site, value: (site) => siteTitle(site), cell: (site) => <a href={href(`/sites/${site.warehouse_id}`)}>{siteTitle(site)}</a> },
    { key: 'state', head: words.state, value: (site) => STATES.indexOf(site.state), cell: (site) => <State site={site} /> },
    { key: 'alerts', head: words.alertsNow, number: true, down: true, value: (site) => site.alerts_open, blank: (site) => site.alerts_open === 0, cell: (site) => <AlertsNow site={site} /> },
    { key: 'data', head: words.lastData, value: (site) => (site.last_event_time === null ? null : Date.parse(site.last_event_time)), cell: (site) => <Ago at={site.last_event_time} /> },
    { key: 'backlog', head: words.backlog, number: true, down: true, value: (site) => site.backlog, blank: (site) => site.backlog === 0, cell: (site) => <Backlog site={site} /> },
    { key: 'completeness', head: words.completeness, down: true, value: (site) => site.missing, cell: (site) => <CompletenessBadge own={site.completeness} /> },
    { key: 'rate', head: words.rate, number: true, down: true, value: (site) => site.events_per_second, cell: (site) => amount(site.events_per_second) },
  ];
});

function State({ site }: { site: SiteRow }) {
  const [first, ...others] = site.reasons;
  return (
    <>
      <StateBadge state={site.state} />
      {site.since && site.state !== 'healthy' && <span class="dim since"> {t.value.fleet.since(about((slow.value - Date.parse(site.since)) / 1000))}</span>}
      {first && <span class="reason" lang="en">{first}</span>}
      {others.length > 0 && <span class="reason dim" title={others.join('\n')}>{t.value.fleet.moreReasons(others.length)}</span>}
    </>
  );
}

function AlertsNow({ site }: { site: SiteRow }) {
  if (site.alerts_open === 0) return <span class="dim">0</span>;
  return (
    <a class={site.alerts_unacknowledged > 0 ? 'urgent' : ''} href={href('/alerts', { site: site.warehouse_id })}>
      {count(site.alerts_open)}
      {site.alerts_unacknowledged > 0 && <small>{t.value.fleet.unacknowledged(site.alerts_unacknowledged)}</small>}
    </a>
  );
}

function Backlog({ site }: { site: SiteRow }) {
  if (site.backlog === 0) return <span class="dim">0</span>;
  return (
    <>
      {count(site.backlog)}
      {site.oldest_age_seconds !== null && <small class="dim">{t.value.fleet.oldest(about(site.oldest_age_seconds))}</small>}
    </>
  );
}

const ordered = computed(() => [...sites.value.values()].sort(worstFirst(byName)));

export function Fleet() {
  const words = t.value.fleet;
  const [state, text] = [param('state', ''), param('q', '')];
  const all = ordered.value;
  const shown = all.filter((site) => meant(site, state, text));
  const heading = <h1 tabIndex={-1}>{words.title}</h1>;
  if (!told.value) return <>{heading}<Loading /></>;
  if (all.length === 0) return <>{heading}<Empty title={words.none} hint={words.noneHint} command={ADD_EDGE} /></>;
  return (
    <>
      {heading}
      <Figures />
      <div class="tools">
        <ByState chosen={state} />
        <label class="search">
          <span class="visually-hidden">{t.value.shell.filter}</span>
          <input type="search" placeholder={words.filterHint} value={text} onInput={(event) => setQuery({ q: event.currentTarget.value })} />
        </label>
        <p class="dim" role="status" data-testid="counted">{words.counted(shown.length, all.length)}</p>
      </div>
      {shown.length === 0
        ? <Empty title={words.noMatch}><button onClick={() => setQuery({ q: null, state: null })}>{t.value.shell.clearFilter}</button></Empty>
        : <Table id="sites" caption={words.title} columns={columns.value} rows={shown} rowKey={(site) => site.warehouse_id} tone={(site) => `site ${site.state}`} />}
    </>
  );
}

function ByState({ chosen }: { chosen: string }) {
  const { counts } = summary(sites.value.values());
  return (
    <div class="tabs states" role="group" aria-label={t.value.fleet.byState}>
      <button aria-pressed={chosen === ''} onClick={() => setQuery({ state: null }, true)}>{t.value.fleet.allSites} <strong>{count(sites.value.size)}</strong></button>
      {STATES.map((state) => (
        <button key={state} class={state} aria-pressed={chosen === state} disabled={counts[state] === 0 && chosen !== state}
          onClick={() => setQuery({ state: chosen === state ? null : state }, true)}>
          <StateShape state={state} /> {stateWord(state)} <strong>{count(counts[state])}</strong>
        </button>
      ))}
    </div>
  );
}

function Figures() {
  const words = t.value.fleet;
  const sum = summary(sites.value.values());
  const rate = present.value.rates?.events_per_second ?? null;
  return (
    <dl class="figures tiles">
      <div><dt>{words.alertsOpen}</dt><dd class={sum.unacknowledged > 0 ? 'urgent' : ''}>{count(sum.alerts)} {sum.unacknowledged > 0 && <small>{words.unacknowledged(sum.unacknowledged)}</small>}</dd></div>
      <div><dt>{words.eventsPerSecond}</dt><dd>{rate === null ? t.value.shell.none : amount(rate)}</dd></div>
      <div><dt>{words.waiting}</dt><dd>{count(sum.backlog)}</dd></div>
      <div><dt>{words.missing}</dt><dd class={sum.missing > 0 ? 'worrying' : ''}>{count(sum.missing)}</dd></div>
      <div><dt>{words.dead}</dt><dd class={sum.dead > 0 ? 'worrying' : ''}>{count(sum.dead)}</dd></div>
    </dl>
  );
}
