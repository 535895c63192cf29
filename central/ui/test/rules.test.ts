// The rule form and the site's settings: what is typed is what is sent, and only what was changed.
import assert from 'node:assert/strict';
import test from 'node:test';
import { difference } from '../src/rules/difference';
import { another, complaint, draft, duration, placed, toJson } from '../src/rules/form';
import { clashes, rebased, settingsDraft, update } from '../src/rules/settings';
import type { Rule, Settings } from '../src/rules/wire';

const rule = (change: Partial<Rule> = {}): Rule => ({
  name: 'sustained-risk', threshold: 70, clear_below: 70, for: '3s', gap: '500ms', cooldown: '0s', severity: 'warning', scope: 'worker', zones: [], sources: ['camera', 'wearable'], confidence_min: 0, ...change,
});

test('a rule goes through the form unchanged', () => {
  for (const own of [rule(), rule({ threshold: 72.5, zones: ['z1', 'z2'], confidence_min: 0.35, cooldown: '1m 30s' })]) assert.deepEqual(toJson(draft(own)), own);
  const { clear_below: _, ...bare } = rule();
  assert.deepEqual(toJson(draft(bare)), bare, 'an empty clear level stays out');
});

test('numbers are read as people write them, and what is none is left for the server to judge', () => {
  assert.equal(toJson({ ...draft(rule()), threshold: ' 70,5 ' }).threshold, 70.5);
  assert.equal(toJson({ ...draft(rule()), threshold: 'high' }).threshold, 'high');
  assert.equal(toJson({ ...draft(rule()), threshold: '' }).threshold, '');
  assert.equal(toJson({ ...draft(rule()), confidence_min: '' }).confidence_min, 0);
  assert.deepEqual(['3', ' 90 ', '3s', '1m 30s', 'soon'].map(duration), ['3s', '90s', '3s', '1m 30s', 'soon']);
});

test('another rule has a name and a key of its own', () => {
  const one = draft(rule());
  const two = another(rule(), [one]);
  const three = another(rule(), [one, two]);
  assert.deepEqual([two.name, three.name], ['sustained-risk-2', 'sustained-risk-3']);
  assert.equal(new Set([one.key, two.key, three.key]).size, 3);
});

test('a refusal finds its field', () => {
  assert.deepEqual(complaint('rule 2 "deep-bend": threshold: 140 is not a score above 0 and up to 100, for example 70'), {
    index: 1, field: 'threshold', text: '140 is not a score above 0 and up to 100, for example 70',
  });
  assert.deepEqual(complaint('alerts.rules, rule 1 "": name: must be 1 to 50 of the characters a-z'), { index: 0, field: 'name', text: 'must be 1 to 50 of the characters a-z' });
  const path = complaint('rules[1].for: invalid value: string "soon"');
  assert.deepEqual([path.index, path.field], [1, 'for']);
  assert.deepEqual(complaint('there are 21 rules, and 20 is the most'), { index: null, field: null, text: 'there are 21 rules, and 20 is the most' });
  assert.equal(complaint('rule 1 "a": colour: what?').field, null, 'a field the form does not have is said of the whole set');
});

test('a text that cannot be read is found in the field that has it', () => {
  const drafts = [draft(rule()), { ...draft(rule()), threshold: 'high', gap: 'soon' }];
  const said = (message: string) => placed(complaint(message), drafts);
  assert.deepEqual([said('rules: rule 2: invalid type: string "high", expected f64').index, said('rules: rule 2: invalid type: string "high", expected f64').field], [1, 'threshold']);
  assert.equal(said('rules: rule 2: invalid value: string "soon", expected a duration').field, 'gap');
  assert.equal(said('rules: rule 1: invalid type: string "high", expected f64').field, null, 'not of this rule');
  assert.equal(said('rules: rule 2 "a": threshold: 0 is no score, "high" neither').field, 'threshold');
});

test('a difference names what was added, removed and changed, and nothing else', () => {
  const deep = rule({ name: 'deep-bend', threshold: 85 });
  assert.deepEqual(difference([rule(), deep], [rule(), deep]), []);
  assert.deepEqual(difference([rule()], [rule({ threshold: 65, clear_below: 60 })]), [
    { kind: 'changed', name: 'sustained-risk', changes: [{ field: 'threshold', before: '70', after: '65' }, { field: 'clear_below', before: '70', after: '60' }] },
  ]);
  assert.deepEqual(difference([rule()], [deep]).map((one) => one.kind), ['added', 'removed']);
  assert.deepEqual(difference([rule({ sources: ['wearable', 'camera'] })], [rule()]), [], 'the order of a list means nothing');
  const { clear_below: _, ...bare } = rule();
  assert.deepEqual(difference([bare], [rule()]), [], 'left out means the threshold');
});

const settings: Settings = {
  name: 'Leipzig', name_reported: 'leipzig-1', name_set: 'Leipzig', time_zone: 'Europe/Berlin', time_zone_reported: 'Europe/Berlin', time_zone_set: null,
  shifts: [{ name: 'Early', days: ['mon', 'tue'], start: '06:00', end: '14:00' }], shifts_reported: [{ name: 'Early', days: ['mon', 'tue'], start: '06:00', end: '14:00' }], shifts_set: null,
  zones: [{ zone_id: 'z1', name: 'Picking', name_reported: 'Picking', name_set: null }, { zone_id: 'z2', name: 'Dock', name_reported: null, name_set: 'Dock' }],
  cameras: [{ camera_id: 'c1', zone_id: 'z1', name: null, name_reported: null, name_set: null }],
};

test('an untouched form says nothing', () => {
  assert.deepEqual(update(settingsDraft(settings), settingsDraft(settings)), {});
});

test('only what was changed is said, and an emptied field means "as reported"', () => {
  const form = settingsDraft(settings);
  form.name = ' ';
  form.time_zone = 'Europe/Warsaw';
  form.zones.z2 = '';
  form.cameras.c1 = ' Gate 3 ';
  assert.deepEqual(update(settingsDraft(settings), form), { name: null, time_zone: 'Europe/Warsaw', zones: { z2: null }, cameras: { c1: 'Gate 3' } });
});

test('shifts are sent whole or handed back', () => {
  const own = { ...settings, shifts_set: settings.shifts };
  const form = settingsDraft(own);
  form.shifts![0]!.days.push('wed');
  assert.deepEqual(update(settingsDraft(own), form).shifts?.[0]?.days, ['mon', 'tue', 'wed']);
  assert.equal(own.shifts[0]!.days.length, 2, 'the form works on a copy');
  assert.deepEqual(update(settingsDraft(own), { ...form, shifts: null }), { shifts: null });
});

test('what the site reports meanwhile is not taken for something that was typed', () => {
  const began = settingsDraft(settings);
  const form = { ...settingsDraft(settings), zones: { ...began.zones, z3: 'Returns' } };
  assert.deepEqual(update(began, form), { zones: { z3: 'Returns' } }, 'a zone that appeared after the form began');
});

test('what others saved meanwhile comes into the form, and what was typed stays', () => {
  const began = settingsDraft(settings);
  const form = { ...settingsDraft(settings), name: 'Mine', zones: { ...began.zones, z1: 'Dock 1' } };
  const present = settingsDraft({ ...settings, name_set: 'Theirs', time_zone_set: 'Europe/Warsaw', zones: settings.zones.map((zone) => ({ ...zone, name_set: 'Theirs too' })) });
  const said = update(began, form);
  assert.deepEqual(clashes(began, present, said), [{ kind: 'name', id: '', now: 'Theirs' }, { kind: 'zones', id: 'z1', now: 'Theirs too' }]);
  const next = rebased(present, form, said);
  assert.deepEqual([next.name, next.time_zone, next.zones], ['Mine', 'Europe/Warsaw', { z1: 'Dock 1', z2: 'Theirs too' }]);
  assert.deepEqual(update(present, next), { name: 'Mine', zones: { z1: 'Dock 1' } }, 'theirs is not undone');
  assert.deepEqual(clashes(began, began, said), []);
});
