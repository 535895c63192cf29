// The line to headquarters, and what it carries forward.

import { line } from '../../../common/ui/socket';
import { carry } from './present';
import { present } from './store';
import type { Message } from './wire';

let onTrouble: () => void = () => {};
let onConnected: () => void = () => {};

const live = line<Message>({
  path: '/ws/fleet',
  position: () => present.value,
  carry: (messages, now) => (present.value = carry(present.value, messages, now)),
  connected: () => onConnected(),
  trouble: () => onTrouble(),
});

/** Begins. `connected` is called at each (re)connection, `trouble` when it fails again and again. */
export function connect(connected: () => void, trouble: () => void): void {
  onConnected = connected;
  onTrouble = trouble;
  live.connect();
}

export const disconnect = () => live.disconnect();
