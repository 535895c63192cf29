// What a rule set changes of the one in force, rule by rule and field by field. Rules are the same if their names are:
// renaming a rule makes a new one at the edge too.

import { FIELDS, type Field } from './form';
import type { Rule } from './wire';

export interface Change {
  field: Field;
  before: string;
  after: string;
}

export type Difference =
  | { kind: 'added'; rule: Rule }
  | { kind: 'removed'; rule: Rule }
  | { kind: 'changed'; name: string; changes: Change[] };

/** How a field's value is shown; lists in the order of names, so that only what matters counts as a change. */
export function shown(rule: Rule, field: Field): string {
  const value = rule[field];
  if (value === null || value === undefined) return field === 'clear_below' ? String(rule.threshold) : '';
  return Array.isArray(value) ? [...value].sort().join(', ') : String(value);
}

export function difference(before: readonly Rule[], after: readonly Rule[]): Difference[] {
  const old = new Map(before.map((rule) => [rule.name, rule]));
  const found: Difference[] = [];
  for (const rule of after) {
    const was = old.get(rule.name);
    if (!was) {
      found.push({ kind: 'added', rule });
      continue;
    }
    old.delete(rule.name);
    const changes = FIELDS.filter((field) => shown(was, field) !== shown(rule, field)).map((field) => ({ field, before: shown(was, field), after: shown(rule, field) }));
    if (changes.length > 0) found.push({ kind: 'changed', name: rule.name, changes });
  }
  for (const rule of old.values()) found.push({ kind: 'removed', rule });
  return found;
}
