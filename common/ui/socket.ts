// The line to the server: one WebSocket, opened again for ever, which goes on after the last change it has seen.

import { batch, signal, type Signal } from '@preact/signals';
import { pageTag } from './api';

export interface Link {
  phase: 'connecting' | 'up' | 'lost';
  /** Local clock, ms. */
  since: number;
}

/** What every message of a line has that this needs to know of. */
export interface LineMessage {
  type: string;
  server_time?: string;
  version?: string;
}

interface Options<Message extends LineMessage> {
  /** Where to, with what is asked for in the query. */
  path: string;
  /** After which change of which run to go on. */
  position: () => { run: string | null; seq: number };
  /** Carries what is known over these messages; `now` is the server's clock, ms. */
  carry: (messages: readonly Message[], now: number) => void;
  /** At each (re)connection. */
  connected: () => void;
  /** It fails again and again: are we still let in? */
  trouble: () => void;
}

/** A beat comes every 5 s; twice that and some is a dead link, whatever TCP says. */
const SILENCE_MS = 12_000;
const RETRY_MIN_MS = 500;
/** Long enough for a hall full of screens, short enough for somebody who waits. */
const RETRY_MAX_MS = 8_000;
/** Changes of this long are shown at once, so that a storm does not keep the screen busy. */
const GATHER_MS = 100;
/** After this many failures in a row we ask whether we are still signed in. */
const ASK_AFTER = 2;

export const link: Signal<Link> = signal({ phase: 'connecting', since: Date.now() });
/** The server's clock minus ours, in ms: ages must be right on a device whose clock is wrong. */
export const skew = signal(0);

export interface Line {
  connect(): void;
  disconnect(): void;
}

export function line<Message extends LineMessage>({ path, position, carry, connected, trouble }: Options<Message>): Line {
  let socket: WebSocket | null = null;
  let failures = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  let waiting: Message[] = [];
  let gathering: ReturnType<typeof setTimeout> | undefined;
  let version: string | null = null;
  let tag: string | null = null;
  let wanted = false;

  function close(): void {
    clearTimeout(retry);
    clearTimeout(watchdog);
    const old = socket;
    socket = null;
    old?.close();
  }

  function open(): void {
    close();
    const { run, seq } = position();
    const url = new URL(path, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
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
      trouble();
    }
    clearTimeout(retry);
    if (!wanted) return;
    // Full jitter: screens that lost the server together must not come back together.
    const ceiling = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures, 6));
    retry = setTimeout(open, 100 + Math.random() * ceiling);
  }

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
      for (const { server_time } of messages) if (server_time) skew.value = Date.parse(server_time) - Date.now();
      carry(messages, Date.now() + skew.value);
    });
  }

  function arrived(message: Message): void {
    failures = 0;
    const first = version === null;
    const said = message.version ?? version;
    if (!first && said !== version) return location.reload();
    version = said;
    if (link.value.phase !== 'up') {
      link.value = { phase: 'up', since: Date.now() };
      connected();
      void compare();
    }
  }

  /** An upgraded server brings a new page, even under the same version. */
  async function compare(): Promise<void> {
    try {
      const now = await pageTag();
      if (tag !== null && now !== tag) location.reload();
      tag = now;
    } catch {
      // The next connection asks again.
    }
  }

  /** The network says that it is back. */
  addEventListener('online', () => {
    if (wanted && !socket && link.value.phase !== 'up') open();
  });

  return {
    connect() {
      wanted = true;
      open();
    },
    disconnect() {
      wanted = false;
      close();
    },
  };
}
