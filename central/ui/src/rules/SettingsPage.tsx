// What a site and its parts are called, on which clock it lives, and in which shifts. What is not set here is as the edge's own
// configuration says.

import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { get, put, type Problem } from '../../../../common/ui/api';
import { shortId } from '../../../../common/ui/ids';
import { t } from '../i18n';
import { useGet } from '../load';
import type { Params } from '../match';
import { Failed, Loading, problemWords } from '../parts/Empty';
import { href } from '../route';
import { learnSettings } from '../settings';
import { may, siteName } from '../store';
import { toast } from '../toast';
import { clashes, rebased, settingsDraft, update, type Clash, type SettingsDraft } from './settings';
import { ShiftFields } from './ShiftFields';
import type { Settings } from './wire';

export function SettingsPage({ params }: { params: Params }) {
  const site = params.site!;
  const path = `/api/v1/sites/${encodeURIComponent(site)}/settings`;
  const loaded = useGet<Settings>(path);
  /** What a save has answered is newer than what was loaded. */
  const saved = useSignal<Settings | null>(null);
  /** The form begins anew with each save, and only then: what is being typed outlives whatever the site reports. */
  const saves = useSignal(0);
  const own = saved.value ?? loaded.data;
  const learn = (answer: Settings) => {
    saved.value = answer;
    // Other views call its places by these names.
    learnSettings(site, answer);
  };
  return (
    <section class="study" aria-labelledby="study-title" data-testid="settings">
      <div class="study-head">
        <h1 id="study-title" tabIndex={-1}>{t.value.settings.title}: {own?.name ?? siteName(site)}</h1>
        <a class="button" href={href(`/rules/${site}`)}>{t.value.settings.rules}</a>
      </div>
      {loaded.problem && !own && <Failed problem={loaded.problem} again={loaded.again} />}
      {!own && !loaded.problem && <Loading />}
      {own && <Form key={saves.value} own={own} path={path} present={learn} saved={(answer) => (learn(answer), (saves.value += 1))} />}
    </section>
  );
}

interface FormProps {
  own: Settings;
  path: string;
  /** The settings as they are now, which somebody else has changed. */
  present: (answer: Settings) => void;
  saved: (answer: Settings) => void;
}

function Form({ own, path, present, saved }: FormProps) {
  const w = t.value.settings;
  /** What is being changed: a save that somebody else came before must not undo theirs unseen. */
  const base = useSignal(own);
  const form = useSignal<SettingsDraft>(settingsDraft(own));
  const failed = useSignal('');
  const busy = useSignal(false);
  const conflict = useSignal(false);
  /** What both have changed, as the other one left it; `null` before that was loaded. */
  const theirs = useSignal<Clash[] | null>(null);
  const note = useRef<HTMLParagraphElement>(null);
  const act = may('act');
  const began = settingsDraft(base.value);
  const said = update(began, form.value);
  const change = (to: Partial<SettingsDraft>) => {
    failed.value = '';
    form.value = { ...form.value, ...to };
  };
  const save = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    try {
      const answer = await put<Settings>(path, { ...said, revision: base.value.revision });
      toast(w.saved);
      if (answer) saved(answer);
    } catch (error) {
      theirs.value = null;
      conflict.value = (error as Problem).code === 'version_conflict';
      failed.value = conflict.value ? '' : problemWords(error as Problem);
    } finally {
      busy.value = false;
    }
  };
  const load = async () => {
    busy.value = true;
    try {
      const now = await get<Settings>(path);
      theirs.value = clashes(began, settingsDraft(now), said);
      form.value = rebased(settingsDraft(now), form.value, said);
      base.value = now;
      [conflict.value, failed.value] = [false, ''];
      present(now);
      // The button that had the focus is gone.
      setTimeout(() => note.current?.focus());
    } catch (error) {
      failed.value = problemWords(error as Problem);
    } finally {
      busy.value = false;
    }
  };
  return (
    <form class="settings" onSubmit={(event) => void save(event)} noValidate>
      {!act && <p class="dim">{w.viewer}</p>}
      <div class="fields">
        <Text label={w.name} value={form.value.name} reported={own.name_reported} set={(name) => change({ name })} disabled={!act} field="name" />
        <Text label={w.timeZone} value={form.value.time_zone} reported={own.time_zone_reported} set={(time_zone) => change({ time_zone })} disabled={!act} field="time_zone" hint={w.zoneHint} list={zones()} />
      </div>
      <ShiftFields shifts={form.value.shifts} own={own} disabled={!act} change={(shifts) => change({ shifts })} />
      <Names title={w.zones} empty={w.noZones} disabled={!act} texts={form.value.zones} set={(texts) => change({ zones: texts })}
        things={own.zones.map(({ zone_id, name_reported }) => ({ id: zone_id, shown: shortId(zone_id), reported: name_reported }))} />
      <Names title={w.cameras} empty={w.noCameras} disabled={!act} texts={form.value.cameras} set={(texts) => change({ cameras: texts })}
        things={own.cameras.map(({ camera_id, zone_id, name_reported }) => ({ id: camera_id, shown: camera_id, reported: name_reported, zone: own.zones.find((zone) => zone.zone_id === zone_id)?.name ?? null }))} />
      {conflict.value && <p class="notice" role="alert" data-testid="conflict">{w.conflict} <button type="button" class="small" disabled={busy.value} data-action="load-present" onClick={() => void load()}>{w.loadPresent}</button></p>}
      {theirs.value && (
        <div class="present-note" data-testid="present">
          <p ref={note} tabIndex={-1}>{w.loaded}</p>
          {theirs.value.length > 0 && <ul>{theirs.value.map(({ kind, id, now }) => <li key={`${kind} ${id}`}>{w.nowIs(fieldWord(kind, id), now ?? w.asEdgeReports)}</li>)}</ul>}
        </div>
      )}
      {failed.value && <p class="wrong" role="alert" data-testid="refused">{failed.value}</p>}
      {act && (
        <div class="form-buttons sticky">
          <button class="primary" disabled={busy.value || Object.keys(said).length === 0} data-action="save">{t.value.shell.save}</button>
          {Object.keys(said).length === 0 && <span class="dim">{w.unchanged}</span>}
        </div>
      )}
    </form>
  );
}

function fieldWord(kind: Clash['kind'], id: string): string {
  const w = t.value.settings;
  switch (kind) {
    case 'name': return w.name;
    case 'time_zone': return w.timeZone;
    case 'shifts': return w.shifts;
    case 'zones': return shortId(id);
    case 'cameras': return id;
  }
}

/** What the browser knows; a name that is not listed may still be right. */
function zones(): string[] {
  const known = (Intl as { supportedValuesOf?: (key: string) => string[] }).supportedValuesOf;
  return known ? known('timeZone') : [];
}

interface TextProps {
  label: string;
  field: string;
  value: string;
  reported: string | null;
  set: (text: string) => void;
  disabled: boolean;
  hint?: string;
  list?: string[];
}

function Text({ label, field, value, reported, set, disabled, hint, list }: TextProps) {
  const w = t.value.settings;
  const id = `settings-${field}`;
  return (
    <label class="field">
      <span>{label}</span>
      <input value={value} placeholder={reported ?? ''} maxLength={200} disabled={disabled} data-field={field} aria-describedby={`${id}-hint`} onInput={(event) => set(event.currentTarget.value)}
        {...(list && list.length > 0 && ({ list: `${id}-list` } as object))} />
      {list && list.length > 0 && <datalist id={`${id}-list`}>{list.map((one) => <option key={one} value={one} />)}</datalist>}
      <small id={`${id}-hint`}>{reported ? w.reported(reported) : w.notReported}. {hint}</small>
    </label>
  );
}

interface NamesProps {
  title: string;
  empty: string;
  things: { id: string; shown: string; reported: string | null; zone?: string | null }[];
  texts: Record<string, string>;
  set: (texts: Record<string, string>) => void;
  disabled: boolean;
}

function Names({ title, empty, things, texts, set, disabled }: NamesProps) {
  const w = t.value.settings;
  return (
    <fieldset class="names">
      <legend>{title}</legend>
      {things.length === 0 && <p class="dim">{empty}</p>}
      {things.length > 0 && <p class="dim">{w.asReported}</p>}
      <div class="fields">
        {things.map(({ id, shown, reported, zone }) => (
          <label key={id} class="field">
            <span><code>{shown}</code>{zone && ` · ${zone}`}</span>
            <input value={texts[id] ?? ''} placeholder={reported ?? ''} maxLength={200} disabled={disabled} data-name={id} onInput={(event) => set({ ...texts, [id]: event.currentTarget.value })} />
          </label>
        ))}
      </div>
    </fieldset>
  );
}
