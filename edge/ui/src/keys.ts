// Hands on a keyboard: j and k walk the list, a and s act, / searches, ? helps.

import { startKeys as listen } from '../../../common/ui/keys';
import { acknowledge } from './actions';
import { open } from './derive';
import { go, view, wall } from './route';
import { chosen, helping, listed, selected, silencing } from './selection';
import { mayAct } from './store';

export const startKeys = () => listen((key, target) => !wall.value && act(key, target));

/** Whether the key meant something. */
function act(key: string, target: HTMLElement): boolean {
  const alert = listed.value.find((one) => one.alert_id === selected.value);
  const may = alert !== undefined && mayAct.value && open(alert);
  switch (key) {
    case 'j':
      return step(1);
    case 'k':
      return step(-1);
    case 'Enter':
      // A focused link or button has its own meaning.
      if (!alert || target.closest('a, button')) return false;
      go(`/alerts/${alert.alert_id}`);
      return true;
    case 'a':
      if (may && alert.state === 'raised') acknowledge(alert);
      return may;
    case 's':
      if (may && !alert.silenced) silencing.value = alert;
      return may;
    case '/':
      document.getElementById('search')?.focus();
      return true;
    case '?':
      helping.value = true;
      return true;
    case 'Escape':
      if (view.value.name === 'alert') go('/');
      return true;
    default:
      return false;
  }
}

function step(by: number): boolean {
  const all = listed.value;
  if (all.length === 0) return true;
  const at = all.findIndex((one) => one.alert_id === selected.value);
  const next = all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)]!;
  chosen.value = next.alert_id;
  if (view.value.name === 'alert') go(`/alerts/${next.alert_id}`);
  requestAnimationFrame(() => document.querySelector(`[data-alert="${next.alert_id}"]`)?.scrollIntoView({ block: 'nearest' }));
  return true;
}
