// The body at the worst moment, drawn from the camera's keypoints: enough to see how somebody bent, not who.

import { t } from '../i18n';
import type { Keypoint } from '../wire';

const BONES = [
  ['head', 'neck'], ['neck', 'left_shoulder'], ['neck', 'right_shoulder'],
  ['left_shoulder', 'left_elbow'], ['left_elbow', 'left_wrist'], ['right_shoulder', 'right_elbow'], ['right_elbow', 'right_wrist'],
  ['left_shoulder', 'left_hip'], ['right_shoulder', 'right_hip'], ['left_hip', 'right_hip'],
  ['left_hip', 'left_knee'], ['left_knee', 'left_ankle'], ['right_hip', 'right_knee'], ['right_knee', 'right_ankle'],
] as const;

/** Below this a joint was guessed. */
const CONFIDENT = 0.6;
const SIZE = 240;
const MARGIN = 24;

export function Posture({ posture }: { posture: Record<string, unknown> | null }) {
  const joints = Object.entries(posture ?? {}).filter((entry): entry is [string, Keypoint] => isKeypoint(entry[1]));
  if (joints.length < 2) return <p class="empty">{t.value.noPosture}</p>;
  const at = fit(joints);
  return (
    <figure class="posture">
      <figcaption>{t.value.posture}</figcaption>
      <svg viewBox={`0 0 ${SIZE} ${SIZE}`} role="img" aria-label={t.value.joints}>
        {BONES.map(([from, to]) => {
          const [a, b] = [at.get(from), at.get(to)];
          return a && b && <line key={from + to} x1={a.x} y1={a.y} x2={b.x} y2={b.y} class={a.sure && b.sure ? 'bone' : 'bone guessed'} />;
        })}
        {[...at].map(([name, joint]) => (
          <circle key={name} cx={joint.x} cy={joint.y} r={name === 'head' ? 13 : 4.5} class={joint.sure ? 'joint' : 'joint guessed'} />
        ))}
      </svg>
    </figure>
  );
}

function isKeypoint(value: unknown): value is Keypoint {
  const point = value as Keypoint | null;
  return typeof point === 'object' && point !== null && Number.isFinite(point.x) && Number.isFinite(point.y);
}

/** Into the drawing, in true proportion: keypoints are shares of a frame that is 16:9. */
function fit(joints: [string, Keypoint][]): Map<string, { x: number; y: number; sure: boolean }> {
  const shares = joints.every(([, { x, y }]) => Math.abs(x) <= 2 && Math.abs(y) <= 2);
  const points = joints.map(([name, { x, y, confidence }]) => ({
    name, x: shares ? (x * 16) / 9 : x, y, sure: (confidence ?? 1) >= CONFIDENT,
  }));
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [width, height] = [Math.max(...xs) - left, Math.max(...ys) - top];
  const scale = (SIZE - 2 * MARGIN) / (Math.max(width, height) || 1);
  const [dx, dy] = [(SIZE - width * scale) / 2, (SIZE - height * scale) / 2];
  return new Map(points.map(({ name, x, y, sure }) => [name, { x: (x - left) * scale + dx, y: (y - top) * scale + dy, sure }]));
}
