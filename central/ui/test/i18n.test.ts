import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { dictionaries } from '../src/i18n';
import { completenessWords } from '../src/parts/Badge';

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
  // Words that are the same in several languages.
  const same = ['.shell.language', '.shell.csv', '.shell.filter', '.shell.role', '.alerts.subject', '.site.version', '.site.edges', '.letters.hexadecimal'];
  for (const [language, dictionary] of Object.entries(dictionaries)) {
    const walk = (value: unknown, english: unknown, path: string) => {
      if (typeof value === 'string') {
        assert.notEqual(value.trim(), '', `${language}${path}`);
        if (language !== 'en' && value.length > 6 && !same.some((name) => path.startsWith(name))) assert.notEqual(value, english, `${language}${path}`);
      } else if (typeof value === 'object' && value !== null) {
        for (const [key, own] of Object.entries(value)) walk(own, (english as Record<string, unknown>)[key], `${path}.${key}`);
      }
    };
    walk(dictionary, dictionaries.en, '');
  }
});

test('whatever the server writes into the audit has words', () => {
  const server = new URL('../../src/', import.meta.url);
  const sources = readdirSync(server, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.rs')).map((path) => readFileSync(new URL(path, server), 'utf8')).join('\n');
  // Written where it is noted, or chosen by what was said, why an edge asked, or what became of a dead letter.
  const places = [/audit::(?:note|add)\(\s*[^,]+,\s*[^,]+,\s*"(\w+)"/g, /Statement::\w+ \{ \.\. \} => "(\w+)"/g, /Purpose::\w+ => "(\w+)"/g, /dead_letters::resolve\([^,]+,[^,]+,\s*"(\w+)"/g];
  const written = new Set(places.flatMap((place) => [...sources.matchAll(place)].map((found) => found[1]!)));
  assert.deepEqual([...written].sort(), Object.keys(dictionaries.en.accounts.did).sort());
});

test('each language counts and estimates in its own way', () => {
  const { en, de, pl } = dictionaries;
  assert.equal(en.shell.completeness.filling(12400, 190), 'filling (backlog 12,400, about 3 minutes)');
  assert.equal(de.shell.completeness.filling(12400, null), 'füllt sich (Rückstand 12.400)');
  assert.deepEqual([1, 3, 5].map((count) => pl.fleet.counted(count, count)), ['1 obiekt', '3 obiekty', '5 obiektów']);
});

test('completeness is said in the words that are used everywhere', () => {
  const words = (change: object) => completenessWords({ state: 'unknown', missing: 0, backlog: 0, drain_seconds: null, ...change });
  assert.equal(words({ state: 'complete' }), 'complete');
  assert.equal(words({ state: 'missing', missing: 17 }), '17 missing');
  assert.equal(words({}), 'unknown', 'what is not known is not complete');
});
