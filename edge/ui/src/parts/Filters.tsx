// Narrows the list; the choice is in the URL.

import { t } from '../i18n';
import { filter, setFilter } from '../route';
import { zones } from '../store';

export function Filters() {
  const { state, zone, camera, severity, subject, q } = filter.value;
  const states = [
    ['open', t.value.open], ['cleared', t.value.over], ['silenced', t.value.silencedFilter], ['all', t.value.everything],
  ] as const;
  const cameras = zones.value.filter((one) => !zone || one.zone_id === zone).flatMap((one) => one.cameras);
  return (
    <form class="filters" role="search" aria-label={t.value.filter} onSubmit={(event) => event.preventDefault()}>
      <div class="tabs" role="group" aria-label={t.value.filter}>
        {states.map(([value, label]) => (
          <button type="button" key={value} aria-pressed={state === value} onClick={() => setFilter({ state: value })}>{label}</button>
        ))}
      </div>
      <label class="search">
        <span class="visually-hidden">{t.value.search}</span>
        <input type="search" id="search" placeholder={t.value.search} value={q} onInput={(event) => setFilter({ q: event.currentTarget.value })} />
      </label>
      <details open={!!(zone || camera || severity || subject)}>
      <summary>{t.value.filter}</summary>
      <div class="choices-row">
      <Choice label={t.value.zone} value={zone} set={(value) => setFilter({ zone: value, camera: '' })}
        options={zones.value.map((one) => [one.zone_id, one.name])} />
      <Choice label={t.value.camera} value={camera} set={(value) => setFilter({ camera: value })}
        options={cameras.map((one) => [one.camera_id, one.name])} />
      <Choice label={t.value.severityWord} value={severity} set={(value) => setFilter({ severity: value })}
        options={(['critical', 'warning', 'notice'] as const).map((one) => [one, t.value.severity[one]])} />
      <Choice label={t.value.kind} value={subject} set={(value) => setFilter({ subject: value })}
        options={(['risk', 'system'] as const).map((one) => [one, t.value.subject[one]])} />
      </div>
      </details>
    </form>
  );
}

function Choice(props: { label: string; value: string; options: [string, string][]; set: (value: string) => void }) {
  const { label, value, options, set } = props;
  return (
    <label>
      <span>{label}</span>
      <select value={value} onChange={(event) => set(event.currentTarget.value)}>
        <option value="">{t.value.any}</option>
        {value && !options.some(([own]) => own === value) && <option value={value}>{value}</option>}
        {options.map(([own, text]) => <option key={own} value={own}>{text}</option>)}
      </select>
    </label>
  );
}
