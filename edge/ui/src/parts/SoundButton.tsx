// Sound on, off, or blocked by the browser until somebody taps.

import { t } from '../i18n';
import { wall } from '../route';
import { sound, toggleSound } from '../sound';
import { SpeakerIcon } from './Icon';

export function SoundButton() {
  const own = sound.value;
  if (wall.value && own !== 'blocked') return null;
  return (
    <button class={`sound ${own}`} aria-pressed={own === 'on'} data-testid="sound" onClick={toggleSound}>
      <SpeakerIcon loud={own === 'on'} /> {t.value.sound[own]}
    </button>
  );
}
