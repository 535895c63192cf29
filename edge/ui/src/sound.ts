// A sound until somebody sees to it. Made here, from oscillators: no file to load, and nothing plays by itself in a
// browser before somebody has touched the page, which is shown.

import { computed, effect, signal } from '@preact/signals';
import { audible } from './derive';
import { alerts, link } from './store';

const KEY = 'smartpick.sound';

function wanted(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'off';
  } catch {
    return true;
  }
}

const on = signal(wanted());
const running = signal(false);
let context: AudioContext | null = null;

export const sound = computed<'on' | 'off' | 'blocked'>(() => (!on.value ? 'off' : running.value ? 'on' : 'blocked'));

/** Severity of what shall be heard, if anything. A lost link says nothing new. */
const calling = computed(() => {
  if (link.value.phase !== 'up') return null;
  const own = [...alerts.value.values()].filter(audible);
  return own.length === 0 ? null : own.some((alert) => alert.severity === 'critical') ? 'critical' : 'warning';
});

/** A hall is loud between 100 Hz and 1 kHz; these are above, and low enough for ears that have worked there for years. */
const TONES = { warning: [1400, 1850], critical: [1850, 1400, 1850, 1400] };
const TONE_S = 0.16;
const PAUSE_MS = { warning: 2500, critical: 1100 };

function wake(): void {
  try {
    context ??= new AudioContext();
  } catch {
    return;
  }
  context.onstatechange = () => (running.value = context?.state === 'running');
  void context.resume().catch(() => {});
  running.value = context.state === 'running';
}

function chime(tones: number[]): void {
  if (!context || context.state !== 'running') return;
  tones.forEach((hertz, index) => {
    const at = context!.currentTime + index * TONE_S;
    const tone = context!.createOscillator();
    const volume = context!.createGain();
    tone.type = 'triangle';
    tone.frequency.value = hertz;
    // Without these slopes each tone begins and ends with a crack.
    volume.gain.setValueAtTime(0.0001, at);
    volume.gain.exponentialRampToValueAtTime(0.6, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + TONE_S);
    tone.connect(volume).connect(context!.destination);
    tone.start(at);
    tone.stop(at + TONE_S);
  });
}

/** Switches it, or wakes it where the browser has blocked it. */
export function toggleSound(): void {
  if (sound.value === 'blocked') {
    wake();
    chime([TONES.warning[0]!]);
    return;
  }
  on.value = !on.value;
  try {
    localStorage.setItem(KEY, on.value ? 'on' : 'off');
  } catch {
    // It then holds until the page is loaded again.
  }
  if (on.value) wake();
}

export function startSound(): void {
  wake();
  for (const gesture of ['pointerdown', 'keydown'] as const) addEventListener(gesture, wake, { capture: true });
  let timer: ReturnType<typeof setInterval> | undefined;
  effect(() => {
    const call = calling.value;
    const may = sound.value === 'on';
    clearInterval(timer);
    document.documentElement.dataset.sounding = String(call !== null && may);
    if (call === null || !may) return;
    chime(TONES[call]);
    timer = setInterval(() => chime(TONES[call]), PAUSE_MS[call]);
  });
}
