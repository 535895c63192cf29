// The form of a rule set. The server judges it; what it refuses stands at the field it means.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { post, Problem } from '../../../../common/ui/api';
import { t } from '../i18n';
import { difference } from './difference';
import { Diff } from './Diff';
import { another, complaint, draft, placed, toJson, type Complaint, type Draft, type Field } from './form';
import { SCOPES, SEVERITIES, SOURCES, type Rule, type Settings, type SiteRules } from './wire';

interface Props {
  site: string;
  rules: SiteRules;
  /** Where the draft begins. */
  start: readonly Rule[];
  zones: Settings['zones'];
  published: (version: number) => void;
  conflict: () => void;
  close: () => void;
}

export function RuleEditor({ site, rules, start, zones, published, conflict, close }: Props) {
  const w = t.value.rules;
  const drafts = useSignal<readonly Draft[]>(start.map(draft));
  const note = useSignal('');
  const fault = useSignal<Complaint | null>(null);
  const said = useSignal('');
  const busy = useSignal(false);
  const box = useRef<HTMLFormElement>(null);
  const json = drafts.value.map(toJson);
  const changes = difference(rules.current?.rules ?? [], json);
  const same = rules.current?.rules != null && changes.length === 0;
  useEffect(() => box.current?.querySelector<HTMLElement>('input')?.focus(), []);

  const change = (key: number, to: Partial<Draft>) => {
    fault.value = null;
    said.value = '';
    drafts.value = drafts.value.map((one) => (one.key === key ? { ...one, ...to } : one));
  };
  const ask = async (what: () => Promise<void>) => {
    if (busy.value) return;
    busy.value = true;
    [fault.value, said.value] = [null, ''];
    try {
      await what();
    } catch (error) {
      const problem = error as Problem;
      if (problem.code === 'version_conflict') {
        said.value = w.conflict;
        conflict();
      } else {
        fault.value = placed(complaint(problem.message), drafts.value);
        // After the field has been marked.
        setTimeout(() => box.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus());
      }
    } finally {
      busy.value = false;
    }
  };
  const path = `/api/v1/sites/${site}/rules`;
  const check = () => ask(async () => {
    await post(`${path}/check`, { rules: json });
    said.value = w.checked;
  });
  const publish = (event: Event) => {
    event.preventDefault();
    void ask(async () => {
      const made = await post<{ version: number }>(path, { rules: json, note: note.value.trim(), base_version: rules.current?.version ?? null });
      if (made) published(made.version);
    });
  };
  return (
    <form class="rule-editor" ref={box} onSubmit={publish} data-testid="rule-editor" noValidate>
      {drafts.value.length === 0 && <p class="notice" role="note">{w.emptyRules}</p>}
      {drafts.value.map((own, index) => (
        <RuleFields key={own.key} own={own} index={index} zones={zones} fault={fault.value?.index === index ? fault.value : null} change={(to) => change(own.key, to)}
          remove={() => (drafts.value = drafts.value.filter(({ key }) => key !== own.key))} />
      ))}
      <button type="button" onClick={() => (drafts.value = [...drafts.value, another(rules.default_rules[0]!, drafts.value)])}>{w.addRule}</button>
      <h3>{w.diff}</h3>
      {changes.length === 0 ? <p class="dim">{w.unchanged}</p> : <Diff changes={changes} zones={zones} />}
      <label class="field"><span>{w.note}</span><input maxLength={500} value={note.value} onInput={(event) => (note.value = event.currentTarget.value)} aria-describedby="note-hint" /><small id="note-hint">{w.noteHint}</small></label>
      {fault.value && (fault.value.index === null || fault.value.field === null) && <p class="failed" role="alert">{fault.value.text}</p>}
      <p role="status" class="said">{said.value}</p>
      <div class="form-buttons">
        <button class="primary" disabled={busy.value || same} data-action="publish">{w.publish}</button>
        <button type="button" disabled={busy.value} onClick={() => void check()} data-action="check">{w.check}</button>
        <button type="button" onClick={close}>{t.value.shell.cancel}</button>
      </div>
    </form>
  );
}

interface FieldsProps {
  own: Draft;
  index: number;
  zones: Settings['zones'];
  fault: Complaint | null;
  change: (to: Partial<Draft>) => void;
  remove: () => void;
}

function RuleFields({ own, index, zones, fault, change, remove }: FieldsProps) {
  const w = t.value.rules;
  const shared = { own, fault, change };
  return (
    <fieldset class="rule-fields">
      <legend>{w.rule(index + 1)}</legend>
      <div class="fields">
        <Text {...shared} field="name" />
        <Text {...shared} field="threshold" numeric />
        <Text {...shared} field="clear_below" numeric />
        <Text {...shared} field="for" />
        <Text {...shared} field="gap" />
        <Text {...shared} field="cooldown" />
        <Pick {...shared} field="severity" options={SEVERITIES.map((one) => [one, w.severity[one]])} />
        <Pick {...shared} field="scope" options={SCOPES.map((one) => [one, w.scope[one]])} />
        <Text {...shared} field="confidence_min" numeric />
      </div>
      <Ticks {...shared} field="sources" options={SOURCES.map((one) => [one, w.source[one]])} />
      {zones.length > 0 && <Ticks {...shared} field="zones" hint={w.hint.zones} options={zones.map(({ zone_id, name }) => [zone_id, name ?? zone_id.slice(0, 8)])} />}
      <button type="button" class="quiet" onClick={remove}>{w.removeRule(own.name || w.unnamed)}</button>
    </fieldset>
  );
}

interface FieldProps {
  own: Draft;
  fault: Complaint | null;
  change: (to: Partial<Draft>) => void;
  field: Field;
}

/** What the server says of a field, and the ids that tie it to the field. */
function complained({ own, fault, field }: FieldProps, hint: boolean) {
  const wrong = fault?.field === field;
  const id = `rule-${own.key}-${field}`;
  const described = [hint && `${id}-hint`, wrong && `${id}-fault`].filter(Boolean).join(' ');
  return {
    id,
    words: wrong && <span class="failed" id={`${id}-fault`} role="alert">{fault.text}</span>,
    input: { 'aria-invalid': wrong, ...(described && { 'aria-describedby': described }) },
  };
}

type TextField = 'name' | 'threshold' | 'clear_below' | 'for' | 'gap' | 'cooldown' | 'confidence_min';

function Text(props: FieldProps & { field: TextField; numeric?: boolean }) {
  const { own, change, field, numeric } = props;
  const { id, words, input } = complained(props, true);
  return (
    <label class="field">
      <span>{t.value.rules.field[field]}</span>
      <input {...input} data-field={field} value={own[field]} autocomplete="off" spellcheck={false} inputMode={numeric ? 'decimal' : 'text'} onInput={(event) => change({ [field]: event.currentTarget.value })} />
      <small id={`${id}-hint`}>{t.value.rules.hint[field]}</small>
      {words}
    </label>
  );
}

function Pick(props: FieldProps & { field: 'severity' | 'scope'; options: [string, string][] }) {
  const { own, change, field, options } = props;
  const { words, input } = complained(props, false);
  return (
    <label class="field">
      <span>{t.value.rules.field[field]}</span>
      <select {...input} data-field={field} value={own[field]} onChange={(event) => change({ [field]: event.currentTarget.value } as Partial<Draft>)}>
        {options.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
      </select>
      {words}
    </label>
  );
}

function Ticks(props: FieldProps & { field: 'sources' | 'zones'; options: [string, string][]; hint?: string }) {
  const { own, change, field, options, hint } = props;
  const { id, words, input } = complained(props, hint !== undefined);
  const chosen: readonly string[] = own[field];
  const toggle = (value: string) => change({ [field]: chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value] } as Partial<Draft>);
  return (
    <fieldset class="ticks" data-field={field} aria-describedby={input['aria-describedby']}>
      <legend>{t.value.rules.field[field]} {hint && <small id={`${id}-hint`}>({hint})</small>}</legend>
      {options.map(([value, text]) => <label key={value}><input type="checkbox" checked={chosen.includes(value)} onChange={() => toggle(value)} />{text}</label>)}
      {words}
    </fieldset>
  );
}
