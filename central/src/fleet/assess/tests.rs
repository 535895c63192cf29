use common::health::Health;
use common::protocol::{LaneReport, SpillReport};
use proptest::prelude::*;

use super::*;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("a time")
}

fn ago(secs: i64) -> DateTime<Utc> {
    now() - TimeDelta::seconds(secs)
}

/// Of an edge that is well and has nothing to send, heard `secs` ago.
fn digest(secs: i64) -> Digest {
    Digest {
        version: "1".to_owned(),
        sent_at: ago(secs),
        stopping: false,
        status: Status::Healthy,
        reasons: Health::healthy().reasons,
        live: LaneReport::default(),
        backlog: LaneReport::default(),
        drain_seconds: None,
        spill: SpillReport { bytes_free: 1 << 33, hours_left: Some(200.0), full: false, disk_bytes_free: 1 << 40 },
        redis: RedisReport::Ready,
        dead_letters: 0,
        accepted: 0,
        rejected: 0,
        cameras: 2,
        silent: Cameras::default(),
        quiet: Cameras::default(),
        suspect: Cameras::default(),
        rules_error: None,
    }
}

fn heard(digest: &Digest, secs: i64) -> EdgeFacts<'_> {
    EdgeFacts { heartbeat: Some((digest, ago(secs))), ..EdgeFacts::default() }
}

fn lane(records: u64, age_secs: u64) -> LaneReport {
    LaneReport { records, bytes: records * 1_000, oldest_age_ms: Some(age_secs * 1_000) }
}

fn assess(facts: &EdgeFacts<'_>, before: &[Code]) -> (State, Vec<Code>, String) {
    let assessment = assess_edge(now(), facts, before);
    let texts = assessment.texts().join("; ");
    (assessment.state, assessment.codes(), texts)
}

#[test]
fn a_fresh_heartbeat_with_nothing_to_send_is_healthy() {
    assert_eq!(assess(&heard(&digest(3), 3), &[]), (State::Healthy, vec![], String::new()));
}

/// The code of a trouble, what makes it, and some of its words.
type Case<T> = (Code, fn(&mut T), &'static str);

/// What each trouble is called, its words, and that it is gone when it is over.
#[test]
fn each_trouble_is_a_reason_with_its_numbers() {
    let cases: &[Case<Digest>] = &[
        (Code::Own, |d| d.reasons = vec!["spilling".to_owned()], "spilling"),
        (Code::Own, |d| d.status = Status::Unhealthy, "it calls itself unhealthy"),
        (Code::ClockSkew, |d| d.sent_at = ago(100), "its clock is 97 s behind; check NTP"),
        (Code::ClockSkew, |d| d.sent_at = ago(-60), "its clock is 63 s ahead; check NTP"),
        (Code::NotMoving, |d| d.backlog = lane(9, 61), "9 events wait there and none of them has arrived for 64 s"),
        (Code::NotMoving, |d| d.live = lane(1, 40), "1 event waits there and none of it has arrived for 43 s"),
        (Code::SpillFull, |d| d.spill.full = true, "its spill is full: cameras are refused"),
        (Code::SpillNearlyFull, |d| d.spill.hours_left = Some(1.25), "full after 1.2 h without headquarters"),
        (Code::RulesRefused, |d| d.rules_error = Some("no such zone".to_owned()), "not in force there: no such zone"),
        (Code::RedisNotDurable, |d| d.redis = RedisReport::Weak, "a power cut may lose"),
        (Code::Damaged, |d| d.dead_letters = 2, "it keeps 2 damaged records aside"),
        (
            Code::CamerasSilent,
            |d| d.silent = Cameras { count: 3, first: Some("cam-1".to_owned()) },
            "camera cam-1 and 2 more silent; look at",
        ),
        (
            Code::CamerasSuspect,
            |d| d.suspect = Cameras { count: 1, first: Some("cam-1".to_owned()) },
            "camera cam-1 sending impossible times; set its clock",
        ),
    ];
    for (code, change, words) in cases {
        let mut troubled = digest(3);
        change(&mut troubled);
        let (state, codes, text) = assess(&heard(&troubled, 3), &[]);
        assert_eq!((state, &codes[..]), (State::Degraded, &[*code][..]), "{text}");
        assert!(text.contains(words), "{text}");
        assert_eq!(assess(&heard(&digest(3), 3), &codes).0, State::Healthy, "{code:?} is over");
    }
    let well = digest(3);
    let beside: &[Case<EdgeFacts<'_>>] = &[
        (Code::Missing, |f| f.missing = 12_400, "12,400 events it accepted are missing"),
        (Code::Missing, |f| f.missing = 1, "1 event it accepted is missing"),
        (Code::DeadLetters, |f| f.dead_letters_open = 2, "2 dead letters wait for a decision"),
        (Code::Clone, |f| f.turned_back = Some((2, ago(30))), "two boxes speak as this edge"),
        (Code::Unreadable, |f| f.unreadable = Some(("no field x", ago(1))), "cannot be read here (no field x)"),
    ];
    for (code, change, words) in beside {
        let mut facts = heard(&well, 3);
        change(&mut facts);
        let (state, codes, text) = assess(&facts, &[]);
        assert_eq!((state, &codes[..]), (State::Degraded, &[*code][..]), "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn silence_makes_stale_then_offline_and_says_what_was_waiting() {
    let mut waiting = digest(0);
    waiting.backlog.records = 40;
    assert_eq!(assess(&heard(&waiting, 31), &[]).0, State::Stale);
    let (state, codes, text) = assess(&heard(&waiting, 7_300), &[]);
    assert_eq!((state, &codes[..]), (State::Offline, &[Code::Silent, Code::WaitingThere][..]));
    assert_eq!(text, "last heartbeat 2 h ago; look at its power and network; 40 events were waiting there then");
    waiting.stopping = true;
    let (state, codes, text) = assess(&heard(&waiting, 31), &[]);
    assert_eq!((state, codes[0]), (State::Stale, Code::Stopped));
    assert!(text.starts_with("it stopped by plan 31 s ago and has not come back"), "{text}");
}

#[test]
fn what_is_delivered_without_heartbeats_is_degraded_and_never_healthy() {
    let facts = |progress_at| EdgeFacts { progress_at, ..EdgeFacts::default() };
    assert_eq!(assess(&facts(None), &[]).1, [Code::NeverHeard]);
    assert_eq!(assess(&facts(None), &[]).0, State::Unknown);
    let (state, codes, text) = assess(&facts(Some(ago(2))), &[]);
    assert_eq!((state, &codes[..]), (State::Degraded, &[Code::NeverHeartbeat][..]));
    assert!(text.contains("last 2 s ago") && text.contains("not known"), "{text}");
    assert_eq!(assess(&facts(Some(ago(40))), &[]).0, State::Unknown);
    assert_eq!(assess(&facts(Some(ago(40))), &codes).0, State::Degraded, "it does not flicker");
    // Heartbeats that stopped while events come: it is there.
    let digest = digest(0);
    let late = EdgeFacts { progress_at: Some(ago(3)), ..heard(&digest, 300) };
    let (state, codes, text) = assess(&late, &[]);
    assert_eq!((state, &codes[..]), (State::Degraded, &[Code::HeartbeatsLate][..]), "{text}");
    assert_eq!(assess(&EdgeFacts { progress_at: Some(ago(61)), ..late }, &codes).0, State::Offline);
}

#[test]
fn what_waits_must_keep_arriving() {
    let moving = |live: LaneReport, progress: Option<i64>, since: Option<i64>, before: &[Code]| {
        let mut digest = digest(3);
        digest.live = live;
        let facts = EdgeFacts { progress_at: progress.map(ago), waiting_since: since.map(ago), ..heard(&digest, 3) };
        assess(&facts, before).0
    };
    assert_eq!(moving(lane(5, 1), Some(900), Some(3), &[]), State::Healthy, "the first in a long while, on its way");
    assert_eq!(moving(lane(500, 600), Some(2), Some(900), &[]), State::Healthy, "many wait, and they arrive");
    assert_eq!(moving(lane(5, 31), Some(60), Some(3), &[]), State::Degraded, "they stand still");
    assert_eq!(moving(lane(5, 31), Some(20), Some(3), &[]), State::Healthy, "not for long yet");
    assert_eq!(moving(lane(5, 31), Some(20), Some(3), &[Code::NotMoving]), State::Degraded, "still, as far as we know");
    assert_eq!(moving(lane(5, 31), Some(10), Some(3), &[Code::NotMoving]), State::Healthy, "moving again");
    let ageless = LaneReport { records: 5, bytes: 1, oldest_age_ms: None };
    assert_eq!(moving(ageless.clone(), None, Some(40), &[]), State::Degraded, "by our own clock");
    assert_eq!(moving(ageless, None, Some(10), &[]), State::Healthy);
}

#[test]
fn a_backlog_that_drains_is_no_fault_and_one_that_does_not_is() {
    fn facts(digest: &Digest) -> EdgeFacts<'_> {
        EdgeFacts { progress_at: Some(ago(1)), ..heard(digest, 3) }
    }
    let mut draining = digest(3);
    draining.backlog = lane(9, 100);
    draining.drain_seconds = Some(4.0);
    assert_eq!(assess(&facts(&draining), &[]).0, State::Healthy);
    draining.drain_seconds = None;
    let (_, codes, text) = assess(&facts(&draining), &[]);
    assert_eq!(codes, [Code::NotDraining]);
    assert!(text.starts_with("its backlog of 9 events is not draining"), "{text}");
    draining.backlog = lane(9, 50);
    assert_eq!(assess(&facts(&draining), &[]).0, State::Healthy, "too young to tell");
}

/// Each pair: what is not yet a reason, but still one for an edge that had it.
#[test]
fn a_reason_is_left_later_than_it_is_entered() {
    let quiet = Cameras { count: 1, first: Some("cam-1".to_owned()) };
    let cases: &[(Code, Digest, i64)] = &[
        (Code::Silent, digest(20), 20),
        (Code::Stopped, digest(20), 20),
        (Code::ClockSkew, digest(28), 3),
        (
            Code::SpillNearlyFull,
            {
                let mut d = digest(3);
                d.spill.hours_left = Some(5.0);
                d
            },
            3,
        ),
        (Code::CamerasSilent, Digest { quiet, ..digest(3) }, 3),
    ];
    for (code, digest, secs) in cases {
        let facts = heard(digest, *secs);
        assert_eq!(assess(&facts, &[]).0, State::Healthy, "{code:?} is not entered");
        assert_ne!(assess(&facts, &[*code]).0, State::Healthy, "{code:?} is not left");
    }
    let well = digest(3);
    let clone = EdgeFacts { turned_back: Some((2, ago(900))), ..heard(&well, 3) };
    assert_eq!(assess(&clone, &[]).0, State::Healthy);
    assert_eq!(assess(&clone, &[Code::Clone]).0, State::Degraded);
    let once = EdgeFacts { turned_back: Some((1, ago(9))), ..heard(&well, 3) };
    assert_eq!(assess(&once, &[]).0, State::Healthy, "a clock that was put right");
}

#[test]
fn a_heartbeat_of_another_version_is_a_sign_of_life_and_no_more() {
    let old = digest(0);
    let unreadable = |secs: i64| EdgeFacts { unreadable: Some(("why", ago(secs))), ..heard(&old, 900) };
    let (state, codes, _) = assess(&unreadable(3), &[]);
    assert_eq!((state, &codes[..]), (State::Degraded, &[Code::Unreadable][..]));
    assert_eq!(assess(&unreadable(50), &[]).0, State::Stale);
    let well = digest(3);
    let since_read = EdgeFacts { unreadable: Some(("why", ago(9))), ..heard(&well, 3) };
    assert_eq!(assess(&since_read, &[]).0, State::Healthy, "it was put right");
}

#[test]
fn a_site_with_one_of_two_edges_gone_is_degraded() {
    let site = |states: &[State]| {
        let edges: Vec<Assessment> = states.iter().map(|state| Assessment::said(*state, Code::Own, "why")).collect();
        let named: Vec<(&str, &Assessment)> = edges.iter().map(|assessment| ("e", assessment)).collect();
        assess_site(&named)
    };
    let state = |states: &[State]| site(states).state;
    assert_eq!(state(&[]), State::Unknown);
    assert_eq!(state(&[State::Offline]), State::Offline);
    assert_eq!(state(&[State::Healthy, State::Healthy]), State::Healthy);
    assert_eq!(state(&[State::Healthy, State::Offline]), State::Degraded);
    assert_eq!(state(&[State::Healthy, State::Unknown]), State::Degraded);
    assert_eq!(state(&[State::Stale, State::Offline]), State::Stale);
    assert_eq!(site(&[State::Healthy, State::Stale]).texts(), ["e: why", "e: why"]);
    assert_eq!(site(&[State::Stale]).texts(), ["why"], "there is only one it could be");
}

/// Facts that a program can make worse, one at a time.
#[derive(Debug, Clone)]
struct Worse {
    heartbeat_age: i64,
    progress_age: Option<i64>,
    live: (u64, u64),
    backlog: (u64, u64),
    draining: bool,
    missing: i64,
    dead_letters: i64,
    skew: i64,
    silent: usize,
    hours_left: f64,
    full: bool,
    turns: i32,
}

impl Worse {
    fn state(&self, before: &[Code]) -> State {
        let mut digest = digest(0);
        digest.sent_at = ago(self.heartbeat_age) + TimeDelta::seconds(self.skew);
        digest.live = lane(self.live.0, self.live.1);
        digest.backlog = lane(self.backlog.0, self.backlog.1);
        digest.drain_seconds = self.draining.then_some(10.0);
        digest.spill.hours_left = Some(self.hours_left);
        digest.spill.full = self.full;
        let cameras = Cameras { count: self.silent, first: (self.silent > 0).then(|| "c".to_owned()) };
        (digest.silent, digest.quiet) = (cameras.clone(), cameras);
        let facts = EdgeFacts {
            progress_at: self.progress_age.map(ago),
            missing: self.missing,
            dead_letters_open: self.dead_letters,
            turned_back: Some((self.turns, ago(1))),
            ..heard(&digest, self.heartbeat_age)
        };
        assess_edge(now(), &facts, before).state
    }
}

fn facts() -> impl Strategy<Value = Worse> {
    let first = (0i64..200, prop::option::of(0i64..200), (0u64..3, 0u64..100), (0u64..3, 0u64..100), any::<bool>());
    let second = (0i64..2, 0i64..2, -50i64..50, 0usize..2, 0.0f64..10.0, any::<bool>(), 0i32..3);
    (first, second).prop_map(|((heartbeat_age, progress_age, live, backlog, draining), rest)| {
        let (missing, dead_letters, skew, silent, hours_left, full, turns) = rest;
        Worse {
            heartbeat_age,
            progress_age,
            live,
            backlog,
            draining,
            missing,
            dead_letters,
            skew,
            silent,
            hours_left,
            full,
            turns,
        }
    })
}

proptest! {
    /// Whatever else is so and whatever was before: a worse fact never makes a better state.
    #[test]
    fn worse_facts_never_give_a_better_state(
        facts in facts(), which in 0usize..10, by in 1u64..100, before in prop::sample::subsequence(Code::ALL.to_vec(), 0..4)
    ) {
        let mut worse = facts.clone();
        let more = i64::try_from(by).expect("small");
        match which {
            0 => worse.heartbeat_age += more,
            1 => worse.progress_age = worse.progress_age.map(|age| age + more),
            2 => worse.progress_age = None,
            // More that waits, and for longer.
            3 => worse.live = (worse.live.0 + by, worse.live.1 + by),
            4 => worse.backlog = (worse.backlog.0 + by, worse.backlog.1 + by),
            5 => worse.draining = false,
            6 => worse.missing += more,
            7 => worse.dead_letters += more,
            8 => worse.skew += more * if worse.skew < 0 { -1 } else { 1 },
            _ => {
                worse.silent += 1;
                worse.hours_left /= 2.0;
                worse.turns += 1;
            }
        }
        let (better, now) = (facts.state(&before), worse.state(&before));
        prop_assert!(now >= better, "{:?} became {:?} with {:?}", better, now, worse);
    }

    /// Healthy needs a fresh heartbeat, and that what waits moves.
    #[test]
    fn healthy_is_never_without_proof(
        facts in facts(), before in prop::sample::subsequence(Code::ALL.to_vec(), 0..4)
    ) {
        if facts.state(&before) == State::Healthy {
            prop_assert!(facts.heartbeat_age <= 30);
            let waiting = facts.live.0 + facts.backlog.0 > 0;
            let oldest = i64::try_from(facts.live.1.max(facts.backlog.1)).expect("small") + facts.heartbeat_age;
            prop_assert!(!waiting || oldest <= 30 || facts.progress_age.is_some_and(|age| age <= 30), "{:?}", facts);
            prop_assert!(facts.missing == 0 && facts.dead_letters == 0 && !facts.full);
        }
    }
}

#[test]
fn a_certificate_is_a_reason_once_half_the_time_for_renewing_it_is_over() {
    let digest = digest(3);
    let with =
        |renew_at: i64, until: i64| EdgeFacts { certificate: Some((ago(renew_at), ago(until))), ..heard(&digest, 3) };
    const DAY: i64 = 86_400;
    assert_eq!(assess(&with(14 * DAY, -16 * DAY), &[]).0, State::Healthy);
    let (state, codes, text) = assess(&with(16 * DAY, -14 * DAY), &[]);
    assert_eq!((state, codes), (State::Degraded, vec![Code::CertificateEnds]), "{text}");
    assert!(text.contains("ends in 14 days"), "{text}");
    let gone = EdgeFacts { certificate: Some((ago(40 * DAY), ago(10 * DAY))), ..heard(&digest, 10 * DAY) };
    let (state, _, text) = assess(&gone, &[]);
    assert!(state == State::Offline && text.contains("ended 10 days ago"), "{text}");
}

#[test]
fn a_copy_of_a_box_is_a_reason_for_a_while() {
    let digest = digest(3);
    let seen = |secs| EdgeFacts { copy_seen_at: Some(ago(secs)), ..heard(&digest, 3) };
    let (state, codes, text) = assess(&seen(60), &[]);
    assert_eq!((state, codes), (State::Degraded, vec![Code::Clone]), "{text}");
    assert_eq!(assess(&seen(15 * 60), &[]).0, State::Healthy);
    assert_eq!(assess(&seen(15 * 60), &[Code::Clone]).1, [Code::Clone], "it stays a little longer");
    assert_eq!(assess(&seen(21 * 60), &[Code::Clone]).0, State::Healthy);
}

#[test]
fn a_copy_of_a_silent_box_is_a_reason_until_the_box_speaks_again() {
    let digest = digest(0);
    let silent = |secs, seen| EdgeFacts { copy_seen_at: Some(ago(seen)), ..heard(&digest, secs) };
    let (state, codes, text) = assess(&silent(9 * 3_600, 8 * 3_600), &[Code::Silent]);
    assert_eq!((state, &codes[..]), (State::Offline, &[Code::Silent, Code::Clone][..]), "{text}");
    assert!(text.contains("a copy of this box came in 8 h ago"), "{text}");
    // It was there before the box fell silent, and not since: as long as of one that speaks.
    assert_eq!(assess(&silent(300, 500), &[]).1, [Code::Silent, Code::Clone]);
    assert_eq!(assess(&silent(300, 1_100), &[Code::Clone, Code::Silent]).1, [Code::Silent, Code::Clone]);
    assert_eq!(assess(&silent(300, 1_300), &[Code::Clone, Code::Silent]).1, [Code::Silent]);
    // Nothing else is known of it.
    let never = EdgeFacts { copy_seen_at: Some(ago(9 * 3_600)), ..EdgeFacts::default() };
    let (state, codes, text) = assess(&never, &[]);
    assert_eq!((state, &codes[..]), (State::Unknown, &[Code::NeverHeard, Code::Clone][..]), "{text}");
}
