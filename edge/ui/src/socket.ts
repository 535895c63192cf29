// The line to the edge: one WebSocket, opened again for ever, which goes on after the last change it has seen.

import { batch } from '@preact/signals';
import { pageTag } from './api';
import { carry } from './present';
import { link, present, skew } from './store';
import type { Message } from './wire';

/** A beat comes every 5 s; twice that and some is a dead link, whatever TCP says. */
const SILENCE_MS = 12_000;
const RETRY_MIN_MS = 500;
/** Long enough for a hall full of screens, short enough for somebody who waits. */
const RETRY_MAX_MS = 8_000;
/** Changes of this long are shown at once, so that a storm does not keep the screen busy. */
const GATHER_MS = 100;
/** After this many failures in a row we ask whether we are still signed in. */
const ASK_AFTER = 2;

let socket: WebSocket | null = null;
let failures = 0;
let retry: ReturnType<typeof setTimeout> | undefined;
let watchdog: ReturnType<typeof setTimeout> | undefined;
let waiting: Message[] = [];
let gathering: ReturnType<typeof setTimeout> | undefined;
let tag: string | null = null;
let onTrouble: () => void = () => {};
let onConnected: () => void = () => {};

/** Begins. `connected` is called at each (re)connection, `trouble` when it fails again and again. */
export function connect(connected: () => void, trouble: () => void): void {
  onConnected = connected;
  onTrouble = trouble;
  open();
}

export function disconnect(): void {
  clearTimeout(retry);
  clearTimeout(watchdog);
  const old = socket;
  socket = null;
  old?.close();
}

function open(): void {
  disconnect();
  const { run, seq } = present.value;
  const url = new URL('/ws/live', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  url.searchParams.set('topics', 'alerts,snapshots,health');
  if (run) {
    url.searchParams.set('run', run);
    url.searchParams.set('after', String(seq));
  }
  const own = new WebSocket(url);
  socket = own;
  listen(own);
  own.onmessage = ({ data }) => {
    if (socket !== own) return;
    listen(own);
    take(JSON.parse(data as string) as Message);
  };
  own.onclose = () => lost(own);
}

/** Hears the line, and takes silence for loss. */
function listen(own: WebSocket): void {
  clearTimeout(watchdog);
  watchdog = setTimeout(() => {
    own.onclose = null;
    own.close();
    lost(own);
  }, SILENCE_MS);
}

function lost(own: WebSocket): void {
  if (socket !== own) return;
  socket = null;
  clearTimeout(watchdog);
  flush();
  if (link.value.phase === 'up') link.value = { phase: 'lost', since: Date.now() };
  failures += 1;
  if (failures >= ASK_AFTER) {
    if (link.value.phase === 'connecting') link.value = { ...link.value, phase: 'lost' };
    onTrouble();
  }
  clearTimeout(retry);
  // Full jitter: screens that lost the edge together must not come back together.
  const ceiling = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures, 6));
  retry = setTimeout(open, 100 + Math.random() * ceiling);
}

/** The network says that it is back. */
addEventListener('online', () => {
  if (!socket && link.value.phase !== 'up') open();
});

function take(message: Message): void {
  waiting.push(message);
  if (message.type === 'snapshot' || message.type === 'resumed') {
    flush();
    arrived(message);
  } else {
    gathering ??= setTimeout(flush, GATHER_MS);
  }
}

function flush(): void {
  clearTimeout(gathering);
  gathering = undefined;
  const messages = waiting;
  if (messages.length === 0) return;
  waiting = [];
  batch(() => {
    for (const message of messages) {
      if ('server_time' in message && message.server_time) skew.value = Date.parse(message.server_time) - Date.now();
    }
    present.value = carry(present.value, messages, Date.now() + skew.value);
  });
}

let version: string | null = null;

function arrived(message: Message & { type: 'snapshot' | 'resumed' }): void {
  failures = 0;
  const first = version === null;
  const said = message.version ?? version;
  if (!first && said !== version) return location.reload();
  version = said;
  if (link.value.phase !== 'up') {
    link.value = { phase: 'up', since: Date.now() };
    onConnected();
    void compare();
  }
}

/** An upgraded edge brings a new page, even under the same version. */
async function compare(): Promise<void> {
  try {
    const now = await pageTag();
    if (tag !== null && now !== tag) location.reload();
    tag = now;
  } catch {
    // The next connection asks again.
  }
}
