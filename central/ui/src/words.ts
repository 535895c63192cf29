// Words about alerts and places, made from what is known and the dictionary: the server's own summary is English.

import { t, language } from './i18n';
import { cameraName, zoneName } from './settings';
import { siteName } from './store';
import type { Alert, Silence } from './wire';

export const ruleName = (rule: string) => t.value.alerts.ruleName[rule] ?? rule;

/** Where it is, or what is wrong. */
export function place(alert: Alert): string {
  if (alert.subject === 'system') return ruleName(alert.rule);
  return alert.zone_id ? zoneName(alert.warehouse_id, alert.zone_id) : t.value.alerts.wholeSite;
}

/** The camera, and for a system alert its zone. */
export function whereabouts(alert: Alert): string {
  const parts = [];
  if (alert.camera_id) parts.push(cameraName(alert.warehouse_id, alert.camera_id));
  if (alert.subject === 'system' && alert.zone_id) parts.push(zoneName(alert.warehouse_id, alert.zone_id));
  return parts.join(' · ');
}

/** Why it was raised, where that adds to the rule's name: as headquarters sees it, else in the edge's own words, which are English. */
export function why(alert: Alert): { words: string; lang: string } | null {
  const own = alert.subject === 'system' ? t.value.alerts.seenFromHere[alert.rule] : undefined;
  if (own) return { words: own, lang: language.value };
  return !alert.summary || (alert.rule in t.value.alerts.ruleName && language.value !== 'en') ? null : { words: alert.summary, lang: 'en' };
}

export function scopeWords({ warehouse_id, scope: { rule, zone_id, camera_id } }: Pick<Silence, 'warehouse_id' | 'scope'>): string {
  const parts = [];
  if (zone_id) parts.push(zoneName(warehouse_id, zone_id));
  if (camera_id) parts.push(cameraName(warehouse_id, camera_id));
  if (rule) parts.push(ruleName(rule));
  return parts.join(' · ') || t.value.alerts.everything;
}

/** All that a search looks through. */
export const searchable = (alert: Alert) =>
  [siteName(alert.warehouse_id), place(alert), whereabouts(alert), alert.rule, ruleName(alert.rule), alert.summary, alert.acknowledged?.by, alert.acknowledged?.note].join(' ');
