// Sentences about alerts, made from facts and the dictionary: the edge's own summary is English.

import { cameraName, shortId, zoneName } from './derive';
import { about } from './format';
import { language, t } from './i18n';
import { site } from './store';
import type { Alert } from './wire';

/** Where it is, or what is wrong: the words to be read from afar. */
export function place(alert: Alert): string {
  if (alert.subject === 'system') return ruleName(alert.rule);
  if (alert.zone) return alert.zone;
  return alert.zone_id ? zoneName(site.value, alert.zone_id) : shortId(alert.alert_id);
}

export const ruleName = (rule: string) => t.value.rule[rule] ?? rule;

/** The camera, and for a system alert the zone that it is in. */
export function whereabouts(alert: Alert): string {
  const parts = [];
  if (alert.camera_id) parts.push(alert.camera ?? cameraName(site.value, alert.camera_id));
  if (alert.subject === 'system' && alert.zone_id) parts.push(alert.zone ?? zoneName(site.value, alert.zone_id));
  return parts.join(' · ') || (alert.subject === 'system' ? t.value.wholeSite : '');
}

/** Why it was raised. */
export function why(alert: Alert): string {
  const rule = site.value?.rules.find((one) => one.name === alert.rule);
  if (alert.subject === 'risk' && rule) return t.value.why(rule.threshold, about(rule.for_seconds));
  // The edge's own words are English; where the rule's name says it in the reader's language they add little.
  if (!(alert.rule in t.value.rule) || language.value === 'en') return alert.summary;
  return alert.subject === 'system' ? '' : ruleName(alert.rule);
}

/** All that a search looks through. */
export const searchable = (alert: Alert) =>
  [place(alert), whereabouts(alert), alert.rule, ruleName(alert.rule), why(alert), alert.acknowledged?.by, alert.acknowledged?.note].join(' ');
