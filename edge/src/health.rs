//! How the edge is, in one word and in words, from what its stages have published. Pure: everything it needs is in
//! [`Findings`].

use chrono::{DateTime, TimeDelta, Utc};
use common::health::{Code, Health, Status, thresholds};

use crate::buffer::{Contents, LiveState, Probe};
use crate::forward::Link;

/// With records waiting, this long without a receipt is no longer normal: a batch may take 15 s to time out once.
const RECEIPT_AGE_MAX: TimeDelta = TimeDelta::seconds(30);
/// A receipt comes within a second; later than this it is late.
const RECEIPT_USUAL: TimeDelta = TimeDelta::seconds(5);
/// Beyond this the two clocks differ enough to put events into the wrong minute.
const CLOCK_OFFSET_MAX_MS: i64 = 30_000;
/// Fewer events than this say nothing about a rate.
const RATE_EVENTS_MIN: u64 = 100;
/// The disk is low when less than this share of the spill's budget can still be written…
const SPILL_FREE_SHARE_MIN: f64 = 0.1;

/// What the stages have published.
#[derive(Debug, Clone)]
pub struct Findings {
    pub now: DateTime<Utc>,
    pub started_at: DateTime<Utc>,
    pub live: LiveState,
    pub contents: Contents,
    pub probe: Probe,
    pub salvaged: Option<String>,
    /// Records that vanished from Redis in this run.
    pub vanished: u64,
    /// `None`: no central is configured.
    pub link: Option<Link>,
    /// Records sent long ago without a receipt.
    pub pending: u64,
    /// Share of recent events that were not taken, and how many there were.
    pub error_rate: (f64, u64),
    pub clock_offset_ms: Option<i64>,
    pub dead_letters: u64,
    /// Events that the rules did not look at in this run, if some were left out lately.
    pub unevaluated: Option<u64>,
    /// What is wrong with the history of alerts, in words.
    pub history: Option<String>,
    /// Why the rules in force are not headquarters' newest, in words.
    pub rules: Option<String>,
    /// Why the certificate for headquarters could not be renewed, in words.
    pub certificate: Option<String>,
    /// Why the configuration in force is not the one in the files, in words.
    pub config: Option<String>,
    /// What is wrong with the archive, or with headquarters' database as far as it shows there, in words.
    pub archive: Vec<(Code, String)>,
}

/// The verdict.
pub fn judge(f: &Findings) -> Health {
    let mut health = Health::healthy();
    buffer(f, &mut health);
    way_to_central(f, &mut health);
    let (rate, events) = f.error_rate;
    if rate > thresholds::ERROR_RATE && events >= RATE_EVENTS_MIN {
        let percent = rate * 100.0;
        health.add(
            Status::Degraded,
            Code::EventsRefused,
            format!("{percent:.1} % of the last five minutes' events were refused"),
        );
    }
    if f.dead_letters > 0 {
        health.add(
            Status::Degraded,
            Code::Damaged,
            format!("{} records were found damaged in the buffer; see /api/v1/dead-letters", f.dead_letters),
        );
    }
    if let Some(events) = f.unevaluated {
        health.add(
            Status::Degraded,
            Code::RulesTooSlow,
            format!(
                "{events} events were kept but not looked at by the alert rules: more came than the box can judge; \
                 spread the cameras over several edges"
            ),
        );
    }
    for (code, words) in [
        (Code::HistoryNotKept, &f.history),
        (Code::RulesNotCurrent, &f.rules),
        (Code::ConfigRefused, &f.config),
        (Code::Certificate, &f.certificate),
    ] {
        if let Some(words) = words {
            health.add(Status::Degraded, code, words.clone());
        }
    }
    for (code, words) in &f.archive {
        health.add(Status::Degraded, *code, words.clone());
    }
    if let Some(offset) = f.clock_offset_ms.filter(|offset| offset.abs() > CLOCK_OFFSET_MAX_MS) {
        let (seconds, side) = (offset.abs() / 1000, if offset > 0 { "ahead of" } else { "behind" });
        health.add(
            Status::Degraded,
            Code::ClockSkew,
            format!("this box's clock is {seconds} s {side} headquarters'; check NTP"),
        );
    }
    health
}

fn buffer(f: &Findings, health: &mut Health) {
    let spill_full = f.probe.spill.full;
    match &f.live {
        LiveState::Absent if spill_full => {
            health.add(Status::Unhealthy, Code::SpillFull, "the spill is full; cameras are told to wait (507)")
        }
        LiveState::Absent | LiveState::Ready { weak: None } => {}
        LiveState::Ready { weak: Some(reason) } => {
            health.add(
                Status::Degraded,
                Code::RedisNotDurable,
                format!("Redis may lose acknowledged events in a power cut: {reason}"),
            );
        }
        LiveState::Weak { reason } => {
            health.add(
                Status::Degraded,
                Code::RedisNotDurable,
                format!("spilling: Redis is not durable ({reason}), so SQLite takes everything"),
            );
        }
        LiveState::Down { reason, since } => {
            let since = since.format("%H:%M:%S");
            health.add(
                Status::Degraded,
                Code::RedisDown,
                format!("spilling: Redis has been down since {since} UTC, SQLite takes everything ({reason})"),
            );
        }
    }
    if spill_full && f.live != LiveState::Absent {
        let status = if matches!(f.live, LiveState::Ready { .. }) { Status::Degraded } else { Status::Unhealthy };
        health.add(status, Code::SpillFull, "the spill is full");
    }
    let spill = &f.probe.spill;
    if !spill_full && spill.bytes_max > 0 && (spill.bytes_free as f64) < spill.bytes_max as f64 * SPILL_FREE_SHARE_MIN {
        let mib = spill.bytes_free / (1024 * 1024);
        health.add(Status::Degraded, Code::SpillNearlyFull, format!("the spill has room for only {mib} MiB more"));
    }
    if f.contents.live_records > thresholds::STREAM_LENGTH {
        let (length, most) = (f.contents.live_records, thresholds::STREAM_LENGTH);
        health.add(Status::Degraded, Code::StreamLong, format!("{length} events wait in the stream, more than {most}"));
    }
    if f.vanished > 0 {
        health.add(
            Status::Degraded,
            Code::RedisWiped,
            format!(
                "{} events vanished from Redis, which was wiped or lost its data; headquarters' ledger shows how many \
                 of them are missing",
                f.vanished
            ),
        );
    }
    if let Some(salvaged) = &f.salvaged {
        health.add(Status::Degraded, Code::SpillSalvaged, salvaged.clone());
    }
}

fn way_to_central(f: &Findings, health: &mut Health) {
    let waiting = f.contents.live_records + f.contents.backlog_records;
    let Some(link) = &f.link else {
        health.add(Status::Degraded, Code::NoCentral, "no central is configured; events stay in this box's buffer");
        return;
    };
    if let Some((since, error)) = &link.failing {
        let since = since.format("%H:%M:%S");
        health.add(
            Status::Degraded,
            Code::CentralUnreachable,
            format!("central not reached since {since} UTC, {waiting} events kept safe: {error}"),
        );
    } else if let Some((since, error)) = &link.refused {
        let since = since.format("%H:%M:%S");
        health.add(
            Status::Degraded,
            Code::CentralRefuses,
            format!("central takes no batch since {since} UTC, {waiting} events kept safe: {error}"),
        );
    } else if link.confirmed_at.is_none_or(|at| f.now - at > RECEIPT_AGE_MAX) && f.now - f.started_at > RECEIPT_AGE_MAX
    {
        health.add(
            Status::Degraded,
            Code::CentralSilent,
            "central has confirmed nothing for more than 30 s, not even a heartbeat",
        );
    } else if waiting > 0 {
        not_moving(f, link, waiting, health);
    }
    if f.pending > thresholds::PENDING {
        let (pending, most) = (f.pending, thresholds::PENDING);
        health.add(
            Status::Degraded,
            Code::ReceiptsLate,
            format!("{pending} records have waited over 5 s for central's receipt, more than {most}"),
        );
    }
}

/// Whether what waits is on its way. Until central has confirmed something in this run, nothing says so of what an earlier run left:
/// its receipts are about an earlier way. What has just come in has had no time.
fn not_moving(f: &Findings, link: &Link, waiting: u64, health: &mut Health) {
    let words = match link.receipt_at {
        None if just_came(f) => return,
        None => {
            let started = f.started_at.format("%H:%M:%S");
            format!("{waiting} events wait, and central has confirmed none since the edge started at {started} UTC")
        }
        Some(at) if f.pending > 0 && f.now - at > RECEIPT_AGE_MAX => {
            format!("{waiting} events wait, and central has confirmed none for more than 30 s")
        }
        Some(_) => return,
    };
    health.add(Status::Degraded, Code::NotMoving, words);
}

/// Whether all that waits was taken in this run, a moment ago.
fn just_came(f: &Findings) -> bool {
    let oldest = [f.probe.live_oldest_ms.map(u64::cast_signed), f.probe.spill.oldest_ms].into_iter().flatten().min();
    oldest.and_then(DateTime::from_timestamp_millis).is_some_and(|at| at >= f.started_at && f.now - at < RECEIPT_USUAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::central_client::SendError;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + secs, 0).expect("in range")
    }

    fn well() -> Findings {
        Findings {
            now: at(100),
            started_at: at(0),
            live: LiveState::Ready { weak: None },
            contents: Contents::default(),
            probe: Probe::default(),
            salvaged: None,
            vanished: 0,
            link: Some(Link { confirmed_at: Some(at(95)), receipt_at: Some(at(20)), ..Link::default() }),
            pending: 0,
            error_rate: (0.0, 0),
            clock_offset_ms: Some(12),
            dead_letters: 0,
            unevaluated: None,
            history: None,
            rules: None,
            certificate: None,
            config: None,
            archive: Vec::new(),
        }
    }

    fn assert_degraded(findings: &Findings, word: &str) {
        let health = judge(findings);
        assert_eq!(health.status, Status::Degraded, "{word}");
        assert!(health.reasons.iter().any(|reason| reason.contains(word)), "{word}: {:?}", health.reasons);
    }

    #[test]
    fn fresh_confirmation_and_nothing_to_send_is_healthy() {
        assert_eq!(judge(&well()), Health::healthy());
    }

    #[test]
    fn silence_is_not_health() {
        let link = Link { confirmed_at: Some(at(60)), receipt_at: Some(at(60)), ..Link::default() };
        assert_degraded(&Findings { link: Some(link), ..well() }, "confirmed nothing");
        let waiting = Contents { live_records: 7, ..Contents::default() };
        assert_degraded(&Findings { contents: waiting, pending: 7, ..well() }, "7 events wait");
        assert_degraded(&Findings { link: None, ..well() }, "no central");
    }

    #[test]
    fn a_start_with_events_waiting_is_not_healthy_before_the_first_receipt() {
        let start = Findings { now: at(1), link: Some(Link::default()), ..well() };
        assert_eq!(judge(&start), Health::healthy(), "nothing waits, nobody needs to look");
        let waiting = Findings { contents: Contents { backlog_records: 1_000, ..Contents::default() }, ..start };
        assert_degraded(
            &waiting,
            "1000 events wait, and central has confirmed none since the edge started at 08:00:00",
        );
        // A heartbeat that got through moves no event.
        let link = Link { confirmed_at: Some(at(1)), ..Link::default() };
        assert_degraded(&Findings { link: Some(link), ..waiting.clone() }, "1000 events wait");
        let link = Link { confirmed_at: Some(at(1)), receipt_at: Some(at(1)), ..Link::default() };
        assert_eq!(judge(&Findings { link: Some(link), ..waiting.clone() }), Health::healthy(), "they move");
        let came = |second| {
            let probe =
                Probe { live_oldest_ms: Some(at(second).timestamp_millis().cast_unsigned()), ..Probe::default() };
            Findings { started_at: at(1), now: at(10), probe, ..waiting.clone() }
        };
        assert_eq!(judge(&came(7)), Health::healthy(), "they have just come");
        assert_degraded(&came(4), "1000 events wait");
        assert_degraded(&Findings { now: at(3), ..came(0) }, "1000 events wait");
    }

    #[test]
    fn every_fault_has_its_words() {
        let failing = Some((at(50), SendError::Link("connection refused".to_owned())));
        let link = Link { confirmed_at: Some(at(49)), failing, ..Link::default() };
        assert_degraded(&Findings { link: Some(link), ..well() }, "connection refused");
        let refused =
            SendError::Refused { status: 400, code: None, message: "another protocol".to_owned(), retry_after: None };
        let link = Link { confirmed_at: Some(at(99)), refused: Some((at(50), refused)), ..Link::default() };
        assert_degraded(&Findings { link: Some(link), ..well() }, "takes no batch since");
        let down = LiveState::Down { reason: "gone".to_owned(), since: at(1) };
        assert_degraded(&Findings { live: down.clone(), ..well() }, "spilling");
        assert_degraded(&Findings { live: LiveState::Weak { reason: "everysec".to_owned() }, ..well() }, "everysec");
        assert_degraded(
            &Findings { contents: Contents { live_records: 5_001, ..Contents::default() }, ..well() },
            "5001",
        );
        assert_degraded(&Findings { pending: 101, ..well() }, "101 records");
        assert_degraded(&Findings { error_rate: (0.02, 500), ..well() }, "2.0 %");
        assert_degraded(&Findings { clock_offset_ms: Some(-90_000), ..well() }, "behind");
        assert_degraded(&Findings { dead_letters: 1, ..well() }, "damaged");
        assert_degraded(&Findings { unevaluated: Some(7), ..well() }, "7 events were kept but not looked at");
        assert_degraded(&Findings { rules: Some("damaged on disk".to_owned()), ..well() }, "damaged on disk");
        assert_degraded(&Findings { config: Some("edge.toml:3:1".to_owned()), ..well() }, "edge.toml:3:1");
        assert_degraded(&Findings { history: Some("it is not kept".to_owned()), ..well() }, "not kept");
        assert_degraded(
            &Findings { archive: vec![(Code::HeadquartersRestored, "sending it again: 40 %".to_owned())], ..well() },
            "40 %",
        );
        assert_degraded(&Findings { vanished: 7, ..well() }, "7 events vanished");
        let mut full = well();
        full.probe.spill.full = true;
        assert_degraded(&full, "the spill is full");
        full.live = down;
        assert_eq!(judge(&full).status, Status::Unhealthy);
        full.live = LiveState::Absent;
        assert_eq!(judge(&full).status, Status::Unhealthy);
    }
}
