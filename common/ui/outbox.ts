// What people do. Each action gets an id of its own before it is sent and is kept until the server has answered, over
// lost links and reloads; sent twice it changes nothing.

import { signal, type Signal } from '@preact/signals';
import { post, Problem } from './api';

export interface Action<What extends string = string> {
  id: string;
  what: What;
  /** What it is about: an alert, a silence. */
  about: string;
  path: string;
  body: Record<string, unknown>;
  /** Whoever did it: nobody else's session may send it. */
  by: string;
  /** Server's clock, ms: what makes no sense any more after this is not sent. */
  until: number;
}

/** Kept for a day at most: an acknowledgement from yesterday says nothing about today. */
const KEPT_MS = 86_400_000;
const RETRY_MAX_MS = 10_000;

export interface Outbox<What extends string> {
  pending: Signal<readonly Action<What>[]>;
  add(action: Omit<Action<What>, 'by' | 'until'> & { until?: number }): void;
  /** Sends what waits: after a reload, a reconnection, a sign-in. */
  flush(): void;
}

interface Options<What extends string> {
  /** In the browser's storage. */
  key: string;
  /** Who is signed in. */
  who: () => string;
  /** The server's clock, ms. */
  now: () => number;
  /** The server has taken it, and said this. */
  done: (action: Action<What>, answer: unknown) => void;
  /** It will not be sent again: refused, or too old, which has no problem of the server's. */
  dropped: (action: Action<What>, why: Problem | null) => void;
}

export function outbox<What extends string>({ key, who, now, done, dropped }: Options<What>): Outbox<What> {
  const pending = signal<readonly Action<What>[]>(load(key));
  const sending = new Set<string>();

  function keep(actions: readonly Action<What>[]): void {
    pending.value = actions;
    try {
      localStorage.setItem(key, JSON.stringify(actions));
    } catch {
      // A browser without storage keeps them as long as the page lives.
    }
  }

  const settle = (action: Action<What>) => keep(pending.value.filter((one) => one.id !== action.id));

  async function send(id: string, tries: number): Promise<void> {
    const action = pending.value.find((one) => one.id === id);
    if (!action || sending.has(id) || action.by !== who()) return;
    if (now() > action.until) {
      settle(action);
      return dropped(action, null);
    }
    sending.add(id);
    try {
      const answer = await post<unknown>(action.path, action.body);
      settle(action);
      done(action, answer);
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(400, 'unreadable', String(error));
      // Signed out: it waits for whoever did it to come back.
      if (problem.status === 401) return;
      if (!problem.passing) {
        settle(action);
        return dropped(action, problem);
      }
      const wait = Math.random() * Math.min(RETRY_MAX_MS, 500 * 2 ** Math.min(tries, 6));
      setTimeout(() => void send(id, tries + 1), 200 + wait);
    } finally {
      sending.delete(id);
    }
  }

  return {
    pending,
    add(action) {
      keep([...pending.value, { by: who(), until: now() + KEPT_MS, ...action }]);
      void send(action.id, 0);
    },
    flush() {
      for (const action of pending.value) void send(action.id, 0);
    },
  };
}

function load<What extends string>(key: string): Action<What>[] {
  try {
    return JSON.parse(localStorage.getItem(key) ?? '[]') as Action<What>[];
  } catch {
    return [];
  }
}
