// The rules of one site: which are in force, which edge goes by them, how they are changed, all versions there were.

import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { post, type Problem } from '../../../../common/ui/api';
import { shortId } from '../../../../common/ui/ids';
import { Sheet } from '../../../../common/ui/parts/Sheet';
import { dated } from '../format';
import { language, t } from '../i18n';
import { useGet } from '../load';
import type { Params } from '../match';
import { Failed, Loading, problemWords } from '../parts/Empty';
import { Table, type Column } from '../parts/Table';
import { ZoneNote } from '../parts/ZoneNote';
import { href } from '../route';
import { useSettings } from '../settings';
import { may, siteName } from '../store';
import { toast } from '../toast';
import { ruleSentence } from './Diff';
import { EdgeState } from './EdgeStates';
import { RuleEditor } from './RuleEditor';
import { Versions } from './Versions';
import type { EdgeRules, Rule, Settings, SiteRules } from './wire';

/** An edge answers with its next heartbeat, ten seconds on. */
const REFRESH_MS = 5_000;

export function SiteRulesPage({ params }: { params: Params }) {
  const site = params.site!;
  const w = t.value.rules;
  const path = `/api/v1/sites/${encodeURIComponent(site)}`;
  const rules = useGet<SiteRules>(`${path}/rules`, REFRESH_MS);
  const settings = useSettings(site);
  const draft = useSignal<readonly Rule[] | null>(null);
  const giving = useSignal(false);
  const own = rules.data;
  const zones = settings?.zones ?? [];
  const act = may('act');
  const made = (version: number) => {
    draft.value = null;
    toast(w.published(version));
    rules.again();
  };
  return (
    <section class="study" aria-labelledby="study-title" data-testid="site-rules">
      <div class="study-head">
        <h1 id="study-title" tabIndex={-1}>{w.title}: {settings?.name ?? siteName(site)}</h1>
        <a class="button" href={href(`/sites/${site}/settings`)}>{w.settings}</a>
      </div>
      {rules.problem && <Failed problem={rules.problem} again={rules.again} />}
      {!own && !rules.problem && <Loading />}
      {own && (
        <>
          <p class="dim">{w.intro}</p>
          <ZoneNote />
          <InForce rules={own} zones={zones} />
          {!act && <p class="dim">{w.viewer}</p>}
          {act && draft.value === null && (
            <div class="form-buttons">
              <button class="primary" data-action="edit" onClick={() => (draft.value = own.current?.rules ?? own.default_rules)}>{own.current?.rules ? w.edit : w.start}</button>
              {own.current?.rules && <button data-action="hand-back" onClick={() => (giving.value = true)}>{w.handBack}</button>}
            </div>
          )}
          {act && draft.value !== null && (
            <RuleEditor key={JSON.stringify(draft.value)} site={site} rules={own} start={draft.value} zones={zones} published={made} conflict={rules.again} close={() => (draft.value = null)} />
          )}
          <h2>{w.edges}</h2>
          <Edges edges={own.edges} />
          <Versions key={own.current?.version ?? 0} path={path} zones={zones} {...(act && { use: (set: readonly Rule[]) => (draft.value = [...set]) })} />
        </>
      )}
      {giving.value && own && <HandBack path={path} rules={own} close={() => (giving.value = false)} done={() => (toast(w.handedBack), rules.again())} />}
    </section>
  );
}

function InForce({ rules: { current }, zones }: { rules: SiteRules; zones: Settings['zones'] }) {
  const w = t.value.rules;
  return (
    <div class="in-force" data-testid="in-force">
      <h2>{w.inForce}: {current?.rules ? w.versionOf(current.version) : w.ownConfig}</h2>
      {current?.rules ? <p class="dim">{w.madeBy(current.made_by, dated(current.made_at))}{current.note && <> · <q>{current.note}</q></>}</p> : <p class="dim">{w.startHint}</p>}
      {current?.rules?.length === 0 && <p class="notice" role="note">{w.emptyRules}</p>}
      {current?.rules && current.rules.length > 0 && (
        <ul class="rule-list">{current.rules.map((rule) => <li key={rule.name}><strong>{rule.name}</strong> <span class={`severity-word ${rule.severity}`}>{w.severity[rule.severity]}</span> {ruleSentence(rule, zones)}</li>)}</ul>
      )}
    </div>
  );
}

function Edges({ edges }: { edges: readonly EdgeRules[] }) {
  const w = t.value.rules;
  const columns = useMemo((): Column<EdgeRules>[] => [
    { key: 'edge', head: w.edge, value: ({ name, edge_id }) => name ?? edge_id, cell: ({ name, edge_id }) => name ?? shortId(edge_id) },
    { key: 'state', head: w.state, value: ({ state }) => state, cell: ({ state, error }) => <><EdgeState state={state} />{error && <p class="wrong">{error}</p>}</> },
    { key: 'applied', head: w.applied, value: ({ applied_version }) => applied_version, cell: ({ applied_version }) => (applied_version === null ? w.none : w.versionOf(applied_version)) },
    { key: 'reported', head: w.reported, value: ({ reported_at }) => reported_at, cell: ({ reported_at }) => (reported_at === null ? w.never : dated(reported_at)) },
  ], [language.value]);
  return <Table id="edges" caption={w.edges} columns={columns} rows={edges} rowKey={({ edge_id }) => edge_id} />;
}

function HandBack({ path, rules, close, done }: { path: string; rules: SiteRules; close: () => void; done: () => void }) {
  const w = t.value.rules;
  const note = useSignal('');
  const failed = useSignal('');
  const give = async (event: Event) => {
    event.preventDefault();
    try {
      await post(`${path}/rules`, { rules: null, note: note.value.trim(), base_version: rules.current?.version ?? null });
      done();
      close();
    } catch (error) {
      failed.value = problemWords(error as Problem);
    }
  };
  return (
    <Sheet title={w.handBackTitle} id="hand-back" close={close}>
      <p>{w.handBackHint}</p>
      <form onSubmit={(event) => void give(event)}>
        <label class="field"><span>{w.note}</span><input maxLength={500} value={note.value} onInput={(event) => (note.value = event.currentTarget.value)} /></label>
        {failed.value && <p class="wrong" role="alert">{failed.value}</p>}
        <div class="buttons"><button class="primary" data-action="hand-back-now">{w.handBackDo}</button><button type="button" onClick={close}>{t.value.shell.cancel}</button></div>
      </form>
    </Sheet>
  );
}
