// A rule as a form has it, all texts, and as the server wants it. What cannot be read stays a text and is sent as it is:
// the server's words about it are better than a second judge here.

import type { Rule } from './wire';

export interface Draft {
  /** Of the form, so that a row keeps its focus when another is removed. */
  key: number;
  name: string;
  threshold: string;
  clear_below: string;
  for: string;
  gap: string;
  cooldown: string;
  severity: Rule['severity'];
  scope: Rule['scope'];
  zones: string[];
  sources: Rule['sources'];
  confidence_min: string;
}

export const FIELDS = ['name', 'threshold', 'clear_below', 'for', 'gap', 'cooldown', 'severity', 'scope', 'zones', 'sources', 'confidence_min'] as const;
export type Field = (typeof FIELDS)[number];

let keys = 0;

export function draft(rule: Rule): Draft {
  return {
    key: ++keys,
    name: rule.name,
    threshold: String(rule.threshold),
    clear_below: rule.clear_below === null || rule.clear_below === undefined ? '' : String(rule.clear_below),
    for: rule.for,
    gap: rule.gap,
    cooldown: rule.cooldown,
    severity: rule.severity,
    scope: rule.scope,
    zones: [...rule.zones],
    sources: [...rule.sources],
    confidence_min: String(rule.confidence_min),
  };
}

/** A fresh rule, with a name that no other of the set has. */
export function another(model: Rule, taken: readonly Draft[]): Draft {
  const names = new Set(taken.map(({ name }) => name));
  let name = model.name;
  for (let number = 2; names.has(name); number += 1) name = `${model.name}-${number}`;
  return { ...draft(model), name };
}

/** `70`, or `70,5` as much of Europe writes it; any other text stays what it is. */
function number(text: string): number | string {
  const plain = text.trim().replace(',', '.');
  return /^-?\d+(\.\d+)?$/.test(plain) ? Number(plain) : text.trim();
}

/** People write `3`; the server wants a unit, and of all that is meant here it is seconds. */
export function duration(text: string): string {
  const plain = text.trim();
  return /^\d+$/.test(plain) ? `${plain}s` : plain;
}

/** What goes to the server. The fields are what the form has, so their types are only hoped for. */
export function toJson(own: Draft): Rule {
  const rule: Record<string, unknown> = {
    name: own.name.trim(),
    threshold: number(own.threshold),
    for: duration(own.for),
    gap: duration(own.gap),
    cooldown: duration(own.cooldown),
    severity: own.severity,
    scope: own.scope,
    zones: own.zones,
    sources: own.sources,
    confidence_min: own.confidence_min.trim() === '' ? 0 : number(own.confidence_min),
  };
  if (own.clear_below.trim() !== '') rule.clear_below = number(own.clear_below);
  return rule as unknown as Rule;
}

/**
 * What cannot even be read (`invalid type: string "high", expected f64`) names no field, but the text that it could not
 * read: the field that has it is meant.
 */
export function placed(fault: Complaint, drafts: readonly Draft[]): Complaint {
  const own = fault.index === null || fault.field !== null ? undefined : drafts[fault.index];
  const text = /string "([^"]*)"/.exec(fault.text)?.[1];
  if (!own || text === undefined) return fault;
  const json: Record<string, unknown> = { ...toJson(own) };
  return { ...fault, field: FIELDS.find((field) => json[field] === text) ?? null };
}

export interface Complaint {
  /** Which rule of the set, from 0; `null` if the server did not say, or means the set. */
  index: number | null;
  field: Field | null;
  text: string;
}

/**
 * Finds the place of a refusal in the form. The server says it in words, as it does on the command line:
 * `rule 2 "deep-bend": threshold: 140 is not a score …`, or with a path, `rules[1].threshold: invalid type …`.
 */
export function complaint(message: string): Complaint {
  const worded = /rule (\d+)(?: "[^"]*")?:? *([a-z_]+)(?::| )/.exec(message);
  const path = /rules\[(\d+)\](?:\.([a-z_]+))?/.exec(message);
  const index = worded ? Number(worded[1]) - 1 : path ? Number(path[1]) : null;
  const named = worded?.[2] ?? path?.[2];
  const field = FIELDS.find((one) => one === named) ?? null;
  const text = worded && field ? message.slice(worded.index + worded[0].length).trim() : message;
  return { index, field, text };
}
