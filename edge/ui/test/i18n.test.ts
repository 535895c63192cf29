import assert from 'node:assert/strict';
import test from 'node:test';
import { choose } from '../../../common/ui/language';
import { dictionaries } from '../src/i18n';

/** Every path to a text, with how many arguments it takes. */
function texts(value: unknown, path = ''): Map<string, string> {
  const found = new Map<string, string>();
  if (typeof value === 'object' && value !== null) {
    for (const [key, own] of Object.entries(value)) for (const [name, kind] of texts(own, `${path}.${key}`)) found.set(name, kind);
  } else {
    found.set(path, typeof value === 'function' ? `function of ${value.length}` : typeof value);
  }
  return found;
}

test('every language has the same texts', () => {
  const own = texts(dictionaries.en);
  assert.ok(own.size > 100);
  for (const [language, dictionary] of Object.entries(dictionaries)) assert.deepEqual([...texts(dictionary)].sort(), [...own].sort(), language);
});

test('no text is empty, and none but names is left in English', () => {
  const same = ['state', 'language', 'none', 'csv', 'wholeSite', 'subject', 'severityWord', 'filter', 'cameras'];
  for (const [language, dictionary] of Object.entries(dictionaries)) {
    const walk = (value: unknown, english: unknown, path: string) => {
      if (typeof value === 'string') {
        assert.notEqual(value.trim(), '', `${language}${path}`);
        if (language !== 'en' && value.length > 6 && !same.some((name) => path.startsWith(`.${name}`))) assert.notEqual(value, english, `${language}${path}`);
      } else if (typeof value === 'object' && value !== null) {
        for (const [key, own] of Object.entries(value)) walk(own, (english as Record<string, unknown>)[key], `${path}.${key}`);
      }
    };
    walk(dictionary, dictionaries.en, '');
  }
});

test('each language counts in its own way', () => {
  const { en, de, es, pl } = dictionaries;
  assert.equal(en.uplink.kept(31240), '31,240 events kept safe');
  assert.equal(de.uplink.kept(31240), '31.240 Ereignisse sicher aufbewahrt');
  assert.equal(es.uplink.kept(1), '1 evento a salvo');
  assert.deepEqual([1, 2, 5, 22].map((count) => pl.going(count)), ['1 osoba zagrożona', '2 osoby zagrożone', '5 osób zagrożonych', '22 osoby zagrożone']);
});

test('the URL comes before the browser, and both before English', () => {
  assert.equal(choose(dictionaries, 'pl', ['de-AT']), 'pl');
  assert.equal(choose(dictionaries, null, ['fr', 'es-MX', 'en']), 'es');
  assert.equal(choose(dictionaries, 'xx', ['fr']), 'en');
});
