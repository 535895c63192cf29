// How long ago something was, told so that nobody needs to count; the exact time is a hover away.

import { about, clock } from '../format';
import { t } from '../i18n';
import { now, slow } from '../store';

/** Nobody needs to see seconds count while all is well. */
const FRESH_MS = 15_000;
/** An age in days says less than a date. */
const DATED_MS = 2 * 86_400_000;

export function Ago({ at, zone, fine = false }: { at: string | null; zone?: string; fine?: boolean }) {
  if (at === null) return <span class="dim">{t.value.shell.never}</span>;
  const clockNow = fine ? now.value : slow.value;
  const past = clockNow - Date.parse(at);
  const exact = clock(at, clockNow, zone);
  if (past > DATED_MS) return <time dateTime={at}>{exact}</time>;
  return <time dateTime={at} title={exact}>{past < FRESH_MS ? t.value.shell.now : t.value.shell.ago(about(past / 1000))}</time>;
}
