//! How a simulated person moves: mostly upright, now and then a bend, now and then a lift whose risk stays above the
//! default alert threshold for seconds, as in recorded shifts. Pure: time comes in as seconds passed.

use std::fmt::Write as _;

use rand::Rng;
use rand::rngs::StdRng;

/// How quickly a body follows what it is about to do: a lift from upright takes about a second.
const FOLLOW_SECONDS: f64 = 0.4;
/// Scatter of a score between two frames, as recorded walking shows it.
const SCORE_NOISE: f64 = 1.2;
/// Scatter of a keypoint, as a share of the image.
const KEYPOINT_NOISE: f64 = 0.0015;

/// Lengths of the body as shares of its height (Drillis and Contini, 1966, rounded).
const SHIN: f64 = 0.25;
const THIGH: f64 = 0.25;
const TRUNK: f64 = 0.29;
const NECK_TO_HEAD: f64 = 0.12;
const SHOULDER_HALF: f64 = 0.11;
const HIP_HALF: f64 = 0.08;
const UPPER_ARM: f64 = 0.19;
const FOREARM: f64 = 0.16;

/// One person in front of one camera.
pub struct Person {
    /// 0–100, before noise.
    score: f64,
    target: f64,
    /// Seconds until the person does something else.
    remaining: f64,
    /// Where the feet are in the image, and how tall the person looks.
    x: f64,
    y: f64,
    height: f64,
    /// +1 looks to the right, -1 to the left.
    facing: f64,
}

impl Person {
    pub fn new(rng: &mut StdRng) -> Self {
        Self {
            score: rng.random_range(5.0..35.0),
            target: 20.0,
            remaining: rng.random_range(0.0..5.0),
            x: rng.random_range(0.2..0.8),
            y: rng.random_range(0.6..0.9),
            height: rng.random_range(0.12..0.3),
            facing: if rng.random() { 1.0 } else { -1.0 },
        }
    }

    /// Lets `seconds` pass. Long gaps are cut: the person simply was somewhere else meanwhile.
    pub fn pass(&mut self, seconds: f64, rng: &mut StdRng) {
        let seconds = seconds.clamp(0.0, 5.0);
        self.remaining -= seconds;
        if self.remaining <= 0.0 {
            // Shares and heights after the recorded set: about a tenth of all frames at 70 or above.
            (self.target, self.remaining) = match rng.random_range(0..100) {
                0..15 => (rng.random_range(77.0..93.0), rng.random_range(4.5..9.0)),
                15..40 => (rng.random_range(45.0..66.0), rng.random_range(1.0..4.0)),
                _ => (rng.random_range(2.0..38.0), rng.random_range(2.0..10.0)),
            };
        }
        self.score += (self.target - self.score) * (1.0 - (-seconds / FOLLOW_SECONDS).exp());
        self.x = (self.x + self.facing * 0.01 * seconds).rem_euclid(1.0);
    }

    /// The score of this frame in hundredths, 0 to 10,000.
    pub fn score_hundredths(&self, rng: &mut StdRng) -> u16 {
        let noisy = (self.score + rng.random_range(-SCORE_NOISE..SCORE_NOISE)).clamp(0.0, 100.0);
        // In range by the clamp.
        (noisy * 100.0).round() as u16
    }

    /// The 14 joints as a JSON object, and the mean of their confidences in hundredths.
    pub fn keypoints(&self, rng: &mut StdRng) -> (String, u8) {
        let lean = (self.score / 100.0 * 1.6).min(1.5);
        let knee = lean * 0.55;
        let at = |from: (f64, f64), length: f64, angle: f64| {
            (from.0 + self.facing * self.height * length * angle.sin(), from.1 - self.height * length * angle.cos())
        };
        let ankle = (self.x, self.y);
        let knee_at = at(ankle, SHIN, knee / 2.0);
        let hip = at(knee_at, THIGH, -knee / 2.0);
        let neck = at(hip, TRUNK, lean);
        let head = at(neck, NECK_TO_HEAD, lean * 0.8);
        let elbow = at(neck, -UPPER_ARM, -lean * 0.4);
        let wrist = at(elbow, -FOREARM, -lean * 0.6 - 0.2);
        let joints = [
            ("head", head, 0.0),
            ("neck", neck, 0.0),
            ("left_shoulder", neck, -SHOULDER_HALF),
            ("right_shoulder", neck, SHOULDER_HALF),
            ("left_elbow", elbow, -SHOULDER_HALF),
            ("right_elbow", elbow, SHOULDER_HALF),
            ("left_wrist", wrist, -SHOULDER_HALF),
            ("right_wrist", wrist, SHOULDER_HALF),
            ("left_hip", hip, -HIP_HALF),
            ("right_hip", hip, HIP_HALF),
            ("left_knee", knee_at, -HIP_HALF),
            ("right_knee", knee_at, HIP_HALF),
            ("left_ankle", ankle, -HIP_HALF),
            ("right_ankle", ankle, HIP_HALF),
        ];
        let mut json = String::with_capacity(joints.len() * 64);
        let mut sum = 0.0;
        for (index, (name, (x, y), side)) in joints.into_iter().enumerate() {
            let mut place = |value: f64| (value + rng.random_range(-KEYPOINT_NOISE..KEYPOINT_NOISE)).clamp(0.0, 1.0);
            let (x, y) = (place(x + side * self.height * 0.5), place(y));
            let confidence: f64 = rng.random_range(0.78..0.99);
            sum += confidence;
            let comma = if index == 0 { '{' } else { ',' };
            // A String takes everything.
            let _infallible = write!(json, r#"{comma}"{name}":{{"x":{x:.4},"y":{y:.4},"confidence":{confidence:.2}}}"#);
        }
        json.push('}');
        // A mean of numbers below 1 is below 100 hundredths.
        (json, (sum / joints.len() as f64 * 100.0).round() as u8)
    }
}
