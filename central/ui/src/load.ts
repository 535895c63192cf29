// Asking headquarters for what a view shows, and again when it should have changed.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { get, Problem } from '../../../common/ui/api';
import { link, now } from './store';

export interface Loaded<T> {
  /** The last answer to this question, kept while it is asked again. */
  data: T | null;
  /** Why there is no newer one. */
  problem: Problem | null;
  loading: boolean;
  /** When the answer came, by the server's clock, ms. */
  at: number | null;
  again: () => void;
}

/**
 * Asks `path`, anew when it or `follows` changes, at each reconnection, and every `every` ms if given. `null` asks nothing.
 */
export function useGet<T>(path: string | null, every?: number, follows = ''): Loaded<T> {
  const answer = useSignal<{ path: string; data: T; at: number } | null>(null);
  const problem = useSignal<{ path: string; problem: Problem } | null>(null);
  const loading = useSignal(false);
  const turn = useSignal(0);
  const up = link.value.phase === 'up' || link.value.phase === 'polled';
  const latest = useRef(0);
  useEffect(() => {
    if (path === null) return;
    const cut = new AbortController();
    const own = (latest.current += 1);
    const ask = async () => {
      loading.value = true;
      try {
        const data = await get<T>(path, cut.signal);
        if (own === latest.current) [answer.value, problem.value] = [{ path, data, at: now.peek() }, null];
      } catch (error) {
        if (own === latest.current && !cut.signal.aborted) problem.value = { path, problem: error instanceof Problem ? error : new Problem(0, 'unreadable', String(error)) };
      } finally {
        if (own === latest.current) loading.value = false;
      }
    };
    void ask();
    const timer = every === undefined ? undefined : setInterval(() => document.visibilityState === 'visible' && void ask(), every);
    return () => {
      clearInterval(timer);
      cut.abort();
    };
  }, [path, up, every, follows, turn.value]);
  const mine = answer.value?.path === path ? answer.value : null;
  return {
    data: mine?.data ?? null,
    at: mine?.at ?? null,
    problem: problem.value?.path === path ? problem.value.problem : null,
    loading: loading.value,
    again: () => (turn.value += 1),
  };
}

/** A path with a query; what is empty is left out. */
export function ask(path: string, query: Record<string, string | number | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== null && value !== undefined && value !== '') search.set(name, String(value));
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}
