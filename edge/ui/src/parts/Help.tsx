// Which keys do what.

import { KeysSheet } from '../../../../common/ui/parts/Sheet';
import { t } from '../i18n';
import { helping } from '../selection';

export function Help() {
  if (!helping.value) return null;
  const { keyHelp } = t.value;
  const keys = [['j', keyHelp.j], ['k', keyHelp.k], ['Enter', keyHelp.enter], ['a', keyHelp.a], ['s', keyHelp.s], ['/', keyHelp.slash], ['?', keyHelp.question], ['Esc', keyHelp.escape]] as const;
  return <KeysSheet title={t.value.keys} keys={keys} closeWord={t.value.close} close={() => (helping.value = false)} />;
}
