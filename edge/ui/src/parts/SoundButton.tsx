// Sound on, off, or blocked by the browser until somebody taps.

import { Shape } from '../../../../common/ui/parts/Icon';
import { t } from '../i18n';
import { wall } from '../route';
import { sound, toggleSound } from '../sound';

const SPEAKER = 'M2 8h5l7-6v20l-7-6H2z';
const LOUD = 'M16.500 7.500a6 6 0 0 1 0 9zm0-5a10.500 10.500 0 0 1 0 19v-2.500a8 8 0 0 0 0-14z';
const MUTE = 'M16 9.500 17.500 8l2.500 2.500L22.500 8 24 9.500 21.500 12l2.500 2.500-1.500 1.500-2.500-2.500-2.500 2.500-1.500-1.500 2.500-2.500z';

export function SoundButton() {
  const own = sound.value;
  if (wall.value && own !== 'blocked') return null;
  return (
    <button class={`sound ${own}`} aria-pressed={own === 'on'} data-testid="sound" onClick={toggleSound}>
      <Shape d={SPEAKER + (own === 'on' ? LOUD : MUTE)} /> {t.value.sound[own]}
    </button>
  );
}
