// Figures in words: what is read aloud, and stands beside every drawing.

import { shortId } from '../../../../common/ui/ids';
import { amount, count, share } from '../format';
import { t } from '../i18n';
import { caution, compare, isCompared, type Subject, type Verdict } from './verdict';
import { atRisk, known, type Measure } from './figures';
import type { Figures, Named } from './wire';

export const zoneName = ({ zone_id, name }: Named) => name ?? shortId(zone_id);

/** A score, or a share of time, as its measure is written. */
export const written = (value: number, which: Measure | Subject) => (which === 'at_risk' ? share(value) : amount(value));

/** Why there is no number. */
export function without(figures: Figures | null): string | null {
  const own = figures === null ? 'nodata' : known(figures);
  return own === 'data' ? null : own === 'nodata' ? t.value.figures.nodata : t.value.figures.few;
}

export const score = (value: number | null) => (value === null ? t.value.figures.unknown : amount(value));
export const coverage = (value: number | null) => (value === null ? t.value.figures.unknown : share(value));

/** 42 s, 26 min, 4 h 12 min. */
export function span(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${count(Math.floor(minutes / 60))} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** "5 % of 4 h 12 min". */
export function riskTime(figures: Figures): string {
  const part = atRisk(figures);
  return part === null ? t.value.figures.unknown : t.value.figures.ofTime(share(part), span(figures.seconds_observed ?? 0));
}

export const people = (value: number | null) => (value === null ? t.value.figures.unknown : value === 0 ? t.value.figures.noneKnown : t.value.figures.people_(value));

/** All that is known of one bucket or cell, in one breath. */
export function reading(figures: Figures | null): string {
  const missing = without(figures);
  const w = t.value.figures;
  if (missing || figures === null) return missing ?? w.nodata;
  return [
    `${w.mean} ${score(figures.mean)}`,
    `${w.p95} ${score(figures.p95)}`,
    `${w.max} ${score(figures.max)}`,
    `${w.atRisk}: ${riskTime(figures)}`,
    people(figures.people),
    w.coverageOf(coverage(figures.coverage)),
    w.events_(figures.events ?? 0),
  ].join(' · ');
}

/** "12 % lower", or why nothing is said. */
export function changeWords(verdict: Verdict): string {
  const w = t.value.figures;
  if (!isCompared(verdict)) return w.notCompared[verdict.kind][verdict.where];
  if (verdict.kind === 'same') return w.same;
  return verdict.part === null ? w.fromNone : w[verdict.kind](share(Math.round(verdict.part * 100) / 100));
}

/** "Mean risk 41 → 36, 12 % lower". */
export function sentence(after: Figures, before: Figures, subject: Subject): string {
  const verdict = compare(after, before, subject);
  const name = t.value.figures.subject[subject];
  if (!isCompared(verdict)) return `${name}: ${changeWords(verdict)}`;
  return t.value.figures.sentence(name, written(verdict.before, subject), written(verdict.after, subject), changeWords(verdict));
}

export function cautionWords(after: Figures, before: Figures): string | null {
  const why = caution(after, before);
  if (why === null) return null;
  return why === 'unknown' ? t.value.figures.caution.unknown : t.value.figures.caution[why](coverage(before.coverage), coverage(after.coverage));
}
