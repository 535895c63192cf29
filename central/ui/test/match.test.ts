import assert from 'node:assert/strict';
import test from 'node:test';
import { fill, match } from '../src/match';

test('a path names what its pattern asks for, and nothing else fits', () => {
  assert.deepEqual(match('/', '/'), {});
  assert.deepEqual(match('/sites/{site}', '/sites/ab-1'), { site: 'ab-1' });
  assert.deepEqual(match('/sites/{site}/cameras/{camera}', '/sites/s/cameras/dock%2F3%20left'), { site: 's', camera: 'dock/3 left' });
  for (const path of ['/sites', '/sites/a/zones', '/site/a', '/sites/a/zones/b/c']) assert.equal(match('/sites/{site}/zones/{zone}', path), null, path);
  assert.equal(match('/sites/{site}', '/sites/%E0%A4%A'), null, 'what cannot be decoded is no page');
});

test('a filled pattern is found again', () => {
  const params = { site: 'w1', camera: 'Tor 3/links?' };
  assert.deepEqual(match('/sites/{site}/cameras/{camera}', fill('/sites/{site}/cameras/{camera}', params)), params);
});
