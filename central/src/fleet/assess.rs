//! The state of an edge and of a site. Pure: facts in, state and reasons out.
//!
//! Healthy needs proof of durable progress: a fresh heartbeat that says nothing waits, or a fresh heartbeat while what
//! waits keeps arriving. A connection proves nothing, and neither does a delivery alone: it does not say what else waits.
//! What a state is entered by is a little worse than what it is left by, so that a site on the edge does not flicker.

use chrono::{DateTime, TimeDelta, Utc};
use common::health::Status;
use common::protocol::{HEARTBEAT_INTERVAL_SECS, RedisReport};
use serde::{Deserialize, Serialize};

use super::digest::{Cameras, Digest};
use super::reason::{Code, Reason, counted, length};

/// Two heartbeats lost, and the third late.
pub const STALE_AFTER: TimeDelta = TimeDelta::seconds(30);
pub const OFFLINE_AFTER: TimeDelta = TimeDelta::seconds(120);
/// A silent edge is believed again at a heartbeat that is not already late.
const BACK_WITHIN: TimeDelta = TimeDelta::seconds(15);
/// What waits and does not move for so long is stuck: a batch may take 15 s to time out once.
const STILL_AFTER: TimeDelta = TimeDelta::seconds(30);
/// An edge without heartbeats whose deliveries were taken for a sign of life goes on being so for this long.
const FLOWING_WITHIN: TimeDelta = TimeDelta::seconds(60);
/// A clock further off makes event times of different sites hard to compare.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(30);
const SKEW_LEAVE: TimeDelta = TimeDelta::seconds(20);
/// A backlog younger than this has had no time to drain.
const BACKLOG_YOUNG: TimeDelta = TimeDelta::seconds(60);
/// Somebody has half a shift to do something.
const SPILL_HOURS_MIN: f64 = 4.0;
const SPILL_HOURS_LEAVE: f64 = 6.0;
/// A process that was started earlier than the one before it: once is a clock that was put right, twice within this time
/// are two boxes.
const CLONE_TURNS: i32 = 2;
const CLONE_WITHIN: TimeDelta = TimeDelta::minutes(10);
const CLONE_LEAVE: TimeDelta = TimeDelta::minutes(20);

/// Better ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SiteState)]
pub enum State {
    /// Proved to be well.
    Healthy,
    /// It is there, and somebody should look at the reasons.
    Degraded,
    /// Its heartbeats are late.
    Stale,
    /// It has been silent for so long that somebody should go and see.
    Offline,
    /// Nothing is known that would say how it is.
    Unknown,
}

impl State {
    pub const ALL: [Self; 5] = [Self::Healthy, Self::Degraded, Self::Stale, Self::Offline, Self::Unknown];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Stale => "stale",
            Self::Offline => "offline",
            Self::Unknown => "unknown",
        }
    }

    /// Of what was stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Where it stands in a list that begins with what should be seen to first. One of which nothing is known may be
    /// losing data for all we know, so it comes before one that says what is wrong; one that was heard and is gone
    /// certainly needs somebody.
    pub const fn urgency(self) -> u8 {
        match self {
            Self::Offline => 0,
            Self::Stale => 1,
            Self::Unknown => 2,
            Self::Degraded => 3,
            Self::Healthy => 4,
        }
    }
}

/// A state with what made it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    pub state: State,
    /// Most severe first.
    pub reasons: Vec<Reason>,
}

impl Assessment {
    pub fn said(state: State, code: Code, text: impl Into<String>) -> Self {
        Self { state, reasons: vec![Reason::new(code, text)] }
    }

    /// Sorted, each once.
    pub fn codes(&self) -> Vec<Code> {
        let mut codes: Vec<Code> = self.reasons.iter().map(|reason| reason.code).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    pub fn texts(&self) -> Vec<String> {
        self.reasons.iter().map(|reason| reason.text.clone()).collect()
    }
}

/// What is known of one edge. Times are by Postgres's clock but for those inside the digest.
#[derive(Debug, Clone, Default)]
pub struct EdgeFacts<'a> {
    /// The last heartbeat that could be read, and when it came.
    pub heartbeat: Option<(&'a Digest, DateTime<Utc>)>,
    /// The last one that could not be read: why, and when it came.
    pub unreadable: Option<(&'a str, DateTime<Utc>)>,
    /// Since when each heartbeat has said that something waits.
    pub waiting_since: Option<DateTime<Utc>>,
    /// How often its process became an older one lately, and when it last did.
    pub turned_back: Option<(i32, DateTime<Utc>)>,
    /// When a box last came with a certificate of this edge that another one has replaced.
    pub copy_seen_at: Option<DateTime<Utc>>,
    /// When the certificate by which it comes in was to be renewed, and when it ends.
    pub certificate: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// When its last batch was committed.
    pub progress_at: Option<DateTime<Utc>>,
    /// Seqs that are neither here nor there.
    pub missing: i64,
    pub dead_letters_open: i64,
}

/// The state of one edge. `before`: the codes of the reasons it had the last time.
pub fn assess_edge(now: DateTime<Utc>, facts: &EdgeFacts<'_>, before: &[Code]) -> Assessment {
    let was = |code| before.contains(&code);
    let unreadable = facts.unreadable.filter(|(_, at)| facts.heartbeat.is_none_or(|(_, read)| *at > read));
    let heard_at = [facts.heartbeat.map(|(_, at)| at), unreadable.map(|(_, at)| at)].into_iter().flatten().max();
    let delivered = facts.progress_at.map(|at| now - at);
    let flowing = |limit| delivered.filter(|age| *age <= limit);
    let Some(heard_at) = heard_at else {
        let limit = if was(Code::NeverHeartbeat) { FLOWING_WITHIN } else { STALE_AFTER };
        let mut judged = never_heartbeat(flowing(limit), delivered, facts);
        clone(now, None, facts, was(Code::Clone), &mut judged.reasons);
        return judged;
    };

    let silent = now - heard_at;
    let late_before = was(Code::Silent) || was(Code::HeartbeatsLate) || was(Code::Stopped);
    if silent > if late_before { BACK_WITHIN } else { STALE_AFTER } {
        let limit = if was(Code::HeartbeatsLate) { FLOWING_WITHIN } else { STALE_AFTER };
        let mut judged = late(now, silent, flowing(limit), facts);
        clone(now, Some(heard_at), facts, was(Code::Clone), &mut judged.reasons);
        return judged;
    }

    let mut reasons = Vec::new();
    missing(facts, &mut reasons);
    clone(now, Some(heard_at), facts, was(Code::Clone), &mut reasons);
    match (unreadable, facts.heartbeat) {
        (Some((why, _)), _) => reasons.push(Reason::new(
            Code::Unreadable,
            format!("its heartbeat cannot be read here ({why}): what waits there is not known; update headquarters"),
        )),
        (None, Some((digest, at))) => {
            moving(now, facts, (digest, at), &was, &mut reasons);
            own(digest, &was, &mut reasons);
            if let Some(why) = &digest.rules_error {
                let text = format!("headquarters' newest rules are not in force there: {why}");
                reasons.push(Reason::new(Code::RulesRefused, text));
            }
            skew(digest.sent_at - at, was(Code::ClockSkew), &mut reasons);
            let silent = if was(Code::CamerasSilent) { &digest.quiet } else { &digest.silent };
            cameras(Code::CamerasSilent, silent, "silent; look at its power, network and lens", &mut reasons);
            let what = "sending impossible times; set its clock";
            cameras(Code::CamerasSuspect, &digest.suspect, what, &mut reasons);
        }
        (None, None) => {}
    }
    certificate(now, facts, &mut reasons);
    dead_letters(facts, &mut reasons);
    let state = if reasons.is_empty() { State::Healthy } else { State::Degraded };
    Assessment { state, reasons }
}

/// It has no heartbeat at all: it may deliver, but what else waits there nobody knows.
fn never_heartbeat(flowing: Option<TimeDelta>, delivered: Option<TimeDelta>, facts: &EdgeFacts<'_>) -> Assessment {
    let (state, code, text) = match (flowing, delivered) {
        (Some(age), _) => (
            State::Degraded,
            Code::NeverHeartbeat,
            format!("it sends events (last {} ago) but never a heartbeat: what waits there is not known", length(age)),
        ),
        (None, Some(age)) => (
            State::Unknown,
            Code::NeverHeartbeat,
            format!("it sent events (last {} ago) but never a heartbeat", length(age)),
        ),
        (None, None) => (
            State::Unknown,
            Code::NeverHeard,
            "never heard of; `smartpick-edge doctor` on the box says whether it reaches headquarters and is let in"
                .to_owned(),
        ),
    };
    let mut reasons = vec![Reason::new(code, text)];
    missing(facts, &mut reasons);
    dead_letters(facts, &mut reasons);
    Assessment { state, reasons }
}

/// Its heartbeats are late, or over.
fn late(now: DateTime<Utc>, silent: TimeDelta, flowing: Option<TimeDelta>, facts: &EdgeFacts<'_>) -> Assessment {
    let ago = length(silent);
    let stopped = facts.heartbeat.is_some_and(|(digest, _)| digest.stopping);
    let (state, first) = if let Some(age) = flowing {
        let age = length(age);
        let text = format!("last heartbeat {ago} ago, though its events arrive (last {age} ago); see its log");
        (State::Degraded, Reason::new(Code::HeartbeatsLate, text))
    } else {
        let state = if silent > OFFLINE_AFTER { State::Offline } else { State::Stale };
        let reason = if stopped {
            Reason::new(Code::Stopped, format!("it stopped by plan {ago} ago and has not come back"))
        } else {
            Reason::new(Code::Silent, format!("last heartbeat {ago} ago; look at its power and network"))
        };
        (state, reason)
    };
    let mut reasons = vec![first];
    certificate(now, facts, &mut reasons);
    missing(facts, &mut reasons);
    if let Some(waiting) = facts.heartbeat.map(|(digest, _)| digest.waiting()).filter(|waiting| *waiting > 0) {
        let were = if waiting == 1 { "was" } else { "were" };
        let text = format!("{} {were} waiting there then", counted(waiting, "event"));
        reasons.push(Reason::new(Code::WaitingThere, text));
    }
    dead_letters(facts, &mut reasons);
    Assessment { state, reasons }
}

fn missing(facts: &EdgeFacts<'_>, reasons: &mut Vec<Reason>) {
    if facts.missing > 0 {
        let are = if facts.missing == 1 { "is" } else { "are" };
        let text = format!("{} it accepted {are} missing; completeness says which", counted(facts.missing, "event"));
        reasons.push(Reason::new(Code::Missing, text));
    }
}

fn dead_letters(facts: &EdgeFacts<'_>, reasons: &mut Vec<Reason>) {
    let open = facts.dead_letters_open;
    if open > 0 {
        let wait = if open == 1 { "waits" } else { "wait" };
        let text = format!("{} {wait} for a decision", counted(open, "dead letter"));
        reasons.push(Reason::new(Code::DeadLetters, text));
    }
}

/// A copy that came after the last heartbeat is the newest that is known of a silent edge, so it is a reason until the edge
/// speaks again or is enrolled anew: its box may be the very one that was taken for the copy.
fn clone(
    now: DateTime<Utc>,
    heard_at: Option<DateTime<Utc>>,
    facts: &EdgeFacts<'_>,
    was: bool,
    reasons: &mut Vec<Reason>,
) {
    let limit = if was { CLONE_LEAVE } else { CLONE_WITHIN };
    if let Some((turns, at)) = facts.turned_back
        && turns >= CLONE_TURNS
        && now - at <= limit
    {
        let text = format!(
            "two boxes speak as this edge: their start times took turns {turns} times, last {} ago; give one of them \
             an edge of its own",
            length(now - at)
        );
        reasons.push(Reason::new(Code::Clone, text));
    }
    let newest = |at: &DateTime<Utc>| heard_at.is_none_or(|heard_at| *at > heard_at);
    if let Some(at) = facts.copy_seen_at.filter(|at| now - *at <= limit || newest(at)) {
        let text = format!(
            "a copy of this box came in {} ago, with a certificate that another one has replaced; enrol the copy as an edge of its \
             own, or shut this edge out and enrol the box that is to stay",
            length(now - at)
        );
        reasons.push(Reason::new(Code::Clone, text));
    }
}

/// An edge tries to renew every few minutes, so one that is still not done when half of the time is over cannot.
fn certificate(now: DateTime<Utc>, facts: &EdgeFacts<'_>, reasons: &mut Vec<Reason>) {
    if let Some((renew_at, until)) = facts.certificate
        && now > renew_at + (until - renew_at) / 2
    {
        let text = if now < until {
            format!("its certificate ends in {} and it has not renewed it; see its log", length(until - now))
        } else {
            format!(
                "its certificate ended {} ago; it comes back by itself, see its log if it does not",
                length(now - until)
            )
        };
        reasons.push(Reason::new(Code::CertificateEnds, text));
    }
}

/// Whether what waits there arrives here.
fn moving(
    now: DateTime<Utc>,
    facts: &EdgeFacts<'_>,
    (digest, heard_at): (&Digest, DateTime<Utc>),
    was: &impl Fn(Code) -> bool,
    reasons: &mut Vec<Reason>,
) {
    let waiting = digest.waiting();
    if waiting == 0 {
        return;
    }
    let oldest = digest.oldest_age();
    // By our own clock as well: an edge that says nothing of ages is not let off.
    let since = [facts.waiting_since, oldest.map(|age| heard_at - age)].into_iter().flatten().min();
    let still = now - since.max(facts.progress_at).unwrap_or(heard_at);
    if still > if was(Code::NotMoving) { BACK_WITHIN } else { STILL_AFTER } {
        let (wait, it) = if waiting == 1 { ("waits", "it") } else { ("wait", "them") };
        let text = format!(
            "{} {wait} there and none of {it} has arrived for {}; see its way to headquarters",
            counted(waiting, "event"),
            length(still)
        );
        reasons.push(Reason::new(Code::NotMoving, text));
    } else if digest.backlog.records > 0
        // Without Redis everything goes through the spill, and a few records there are in normal flight.
        && digest.backlog.oldest_age_ms.is_some_and(|ms| i64::try_from(ms).is_ok_and(|ms| ms > BACKLOG_YOUNG.num_milliseconds()))
        && digest.drain_seconds.is_none()
    {
        let text = format!(
            "its backlog of {} is not draining: new ones come as fast as they go",
            counted(digest.backlog.records, "event")
        );
        reasons.push(Reason::new(Code::NotDraining, text));
    }
}

/// What it says of itself, and what we conclude where it says nothing.
fn own(digest: &Digest, was: &impl Fn(Code) -> bool, reasons: &mut Vec<Reason>) {
    reasons.extend(digest.reasons.iter().map(|reason| Reason::new(Code::Own, reason)));
    if digest.reasons.is_empty() {
        if digest.status != Status::Healthy {
            reasons.push(Reason::new(Code::Own, format!("it calls itself {}", digest.status.as_str())));
        }
        if digest.spill.full {
            let text = "its spill is full: cameras are refused; free its disk or raise spill.bytes_max";
            reasons.push(Reason::new(Code::SpillFull, text));
        }
        if digest.redis == RedisReport::Weak {
            let text = "its Redis is not durable: a power cut may lose what cameras were told is safe";
            reasons.push(Reason::new(Code::RedisNotDurable, text));
        }
        if digest.dead_letters > 0 {
            let text = format!("it keeps {} aside", counted(digest.dead_letters, "damaged record"));
            reasons.push(Reason::new(Code::Damaged, text));
        }
    }
    let limit = if was(Code::SpillNearlyFull) { SPILL_HOURS_LEAVE } else { SPILL_HOURS_MIN };
    if let Some(hours) = digest.spill.hours_left.filter(|hours| *hours < limit && !digest.spill.full) {
        let text = format!(
            "its spill would be full after {hours:.1} h without headquarters; free its disk or raise spill.bytes_max"
        );
        reasons.push(Reason::new(Code::SpillNearlyFull, text));
    }
}

fn skew(skew: TimeDelta, was: bool, reasons: &mut Vec<Reason>) {
    if skew.abs() > if was { SKEW_LEAVE } else { SKEW_MAX } {
        let way = if skew > TimeDelta::zero() { "ahead" } else { "behind" };
        reasons.push(Reason::new(Code::ClockSkew, format!("its clock is {} {way}; check NTP", length(skew.abs()))));
    }
}

fn cameras(code: Code, cameras: &Cameras, what: &str, reasons: &mut Vec<Reason>) {
    if let Some(first) = &cameras.first {
        let more = cameras.count.saturating_sub(1);
        let others = if more > 0 { format!(" and {more} more") } else { String::new() };
        reasons.push(Reason::new(code, format!("camera {first}{others} {what}")));
    }
}

/// The state of a site: its worst edge's, with whose it is where there are several. An edge that is gone while others
/// work makes the site degraded, not offline.
pub fn assess_site(edges: &[(&str, &Assessment)]) -> Assessment {
    match edges {
        [] => Assessment::said(
            State::Unknown,
            Code::NoEdge,
            "no edge has a credential; `smartpick-central sites token SITE` makes a token by which one joins (behind a proxy \
             `edges add`), `sites remove SITE` takes a site away that never had one",
        ),
        [(_, only)] => (*only).clone(),
        several => {
            let best = several.iter().map(|(_, a)| a.state).min().unwrap_or(State::Unknown);
            let worst = several.iter().map(|(_, a)| a.state).max().unwrap_or(State::Unknown);
            let state = if best <= State::Degraded && worst > State::Healthy { State::Degraded } else { best };
            let reasons = several.iter().flat_map(|(name, assessment)| {
                assessment.reasons.iter().map(move |r| Reason::new(r.code, format!("{name}: {}", r.text)))
            });
            Assessment { state, reasons: reasons.collect() }
        }
    }
}

// A heartbeat that comes as often as agreed is never late.
const _: () = assert!(HEARTBEAT_INTERVAL_SECS < 15);

#[cfg(test)]
mod tests;
