// How SmartPick itself is, in plain words.

import { about, clock } from '../format';
import { t } from '../i18n';
import { link, now, present } from '../store';
import type { Health } from '../wire';

/** Below this what waits is only on its way. */
const WAITING_WORTH_SAYING = 1_000;

export function uplinkWords(health: Health, at: number): string {
  const { uplink, waiting, room_hours, drain_seconds, unevaluated } = health;
  const kept = waiting.live + waiting.backlog;
  const words = t.value.uplink;
  const parts = [uplink.state === 'down' ? words.down(uplink.since ? clock(uplink.since, at) : '–') : words[uplink.state]];
  if (kept > 0 && (uplink.state !== 'up' || kept >= WAITING_WORTH_SAYING)) parts.push(words.kept(kept));
  if (room_hours !== null && uplink.state !== 'up') parts.push(words.room(about(room_hours * 3600)));
  if (uplink.state === 'up' && kept >= WAITING_WORTH_SAYING && drain_seconds !== null) parts.push(words.drain(about(drain_seconds)));
  if (unevaluated > 0) parts.push(words.unevaluated(unevaluated));
  return parts.join(' · ');
}

export function Uplink() {
  const { health, missed } = present.value;
  // What was last heard of it is not how it is.
  if (!health || link.value.phase !== 'up') return null;
  return (
    <p class={`uplink ${health.uplink.state}`} data-testid="uplink">
      {uplinkWords(health, now.value)}
      {missed > 0 && <small> {t.value.missed(missed)}</small>}
    </p>
  );
}
