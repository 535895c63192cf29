// What became of what somebody did, said once. A refusal stays until it is read.

import { signal } from '@preact/signals';

export interface Toast {
  id: number;
  words: string;
  bad: boolean;
}

const KEPT_MS = 6_000;
/** Older ones make room. */
const TOASTS_MAX = 4;

export const toasts = signal<readonly Toast[]>([]);
let last = 0;

export function toast(words: string, bad = false): void {
  const id = (last += 1);
  toasts.value = [...toasts.value, { id, words, bad }].slice(-TOASTS_MAX);
  if (!bad) setTimeout(() => dismiss(id), KEPT_MS);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}
