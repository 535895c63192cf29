// What a version changes: a word, a sign and a colour each.

import { t } from '../i18n';
import type { Difference } from './difference';
import type { Field } from './form';
import type { Rule, Settings } from './wire';

type Zones = Settings['zones'];

export function Diff({ changes, zones }: { changes: readonly Difference[]; zones: Zones }) {
  const w = t.value.rules;
  return (
    <ul class="diff" data-testid="diff">
      {changes.map((one) => {
        if (one.kind === 'changed') {
          return (
            <li key={one.name} class="changed">
              <strong>~ {one.name}</strong> {w.changed}
              <ul>{one.changes.map(({ field, before, after }) => <li key={field}>{w.field[field]}: <del>{worded(field, before, zones)}</del> → <ins>{worded(field, after, zones)}</ins></li>)}</ul>
            </li>
          );
        }
        const sign = one.kind === 'added' ? '+' : '−';
        return <li key={one.rule.name} class={one.kind}><strong>{sign} {one.rule.name}</strong> {w[one.kind]} <span class="dim">{ruleSentence(one.rule, zones)}</span></li>;
      })}
    </ul>
  );
}

const zoneNames = (ids: readonly string[], zones: Zones) => ids.map((id) => zones.find(({ zone_id }) => zone_id === id)?.name ?? id.slice(0, 8)).join(', ');

/** A field's value in the reader's words. */
function worded(field: Field, value: string, zones: Zones): string {
  const w = t.value.rules;
  if (field === 'zones') return value === '' ? w.everywhere : zoneNames(value.split(', '), zones);
  if (field === 'severity') return w.severity[value as Rule['severity']] ?? value;
  if (field === 'scope') return w.scope[value as Rule['scope']] ?? value;
  if (field === 'sources') return value.split(', ').map((one) => w.source[one as Rule['sources'][number]] ?? one).join(', ');
  return value;
}

/** "Risk of 70 or more for at least 3s, in every zone". */
export function ruleSentence(rule: Rule, zones: Zones): string {
  const w = t.value.rules;
  return `${w.sentence(String(rule.threshold), rule.for)}, ${rule.zones.length === 0 ? w.everywhere : w.only(zoneNames(rule.zones, zones))}`;
}
