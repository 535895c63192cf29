// Sound on, off, or blocked by the browser until somebody taps.

import { Shape } from '../../../../common/ui/parts/Icon';
import { t } from '../i18n';
import { wall } from '../route';
import { sound, toggleSound } from '../sound';

const SPEAKER = 'M2 8h5l7-6v20l-7-6H2z';
const LOUD = 'M16.500 7.500a6 6 0 0 1 0 9zm0-5a10.500 10.500 0 0 1 0 19v-2.500a8 8 0 0 0 0-14z';
const MUTE = 'm16 9 2-2 2 2 2-2 1.500 1.500-2 2.500 2 2.500L22 17l-2-2-2 2-1.500-1.500 2-2.500-2-2.500z';

export function SoundButton() {
  const own = sound.value;
  if (wall.value && own !== 'blocked') return null;
  return (
    <button class={`sound ${own}`} aria-pressed={own === 'on'} data-testid="sound" onClick={toggleSound}>
      <Shape d={SPEAKER + (own === 'on' ? LOUD : MUTE)} /> {t.value.sound[own]}
    </button>
  );
}
