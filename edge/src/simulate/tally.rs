//! The figures of a run, the ledger file of acknowledged ids, and the summary at the end.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use common::cli::exit::Exit;
use serde::Serialize;
use uuid::Uuid;

/// Each latency bucket is so much wider than the one before, so a percentile is off by 2.5 % at most.
const BUCKET_STEP: f64 = 1.05;
/// The last bucket begins at 1 µs · 1.05^400, about five minutes.
const BUCKETS: usize = 400;
/// Ids in the summary for people; `--json` has them all.
const IDS_SHOWN: usize = 10;

#[derive(Debug, Default, Clone)]
pub struct Figures {
    pub sent: u64,
    pub accepted: u64,
    pub duplicates: u64,
    /// By field and code.
    pub rejected: BTreeMap<(String, String), u64>,
    /// Failed tries, by what went wrong.
    pub retries: BTreeMap<String, u64>,
    /// The last of them, until there is a verdict again.
    pub trouble: Option<String>,
    /// The edge lets nobody in by this token.
    pub denied: bool,
}

impl Figures {
    /// Events that were sent and have no verdict.
    pub fn waiting(&self) -> u64 {
        self.sent - self.accepted - self.duplicates - self.rejected_total()
    }

    /// Why most of what was rejected was.
    pub fn rejected_mostly(&self) -> Option<&(String, String)> {
        self.rejected.iter().max_by_key(|(_, events)| **events).map(|(why, _)| why)
    }

    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    pub fn retries_total(&self) -> u64 {
        self.retries.values().sum()
    }
}

struct State {
    figures: Figures,
    /// Requests by time from the first try to the verdict.
    latency: Vec<u64>,
    ledger: Option<BufWriter<File>>,
    ledger_error: Option<io::Error>,
}

/// Shared by all senders of a run.
pub struct Tally(Mutex<State>);

impl Tally {
    /// # Errors
    /// If the ledger file cannot be opened. An existing one is continued, so that several runs add up.
    pub fn new(ledger: Option<&Path>) -> anyhow::Result<Self> {
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let words = || Exit::CantCreate.because(format!("cannot write the ledger file {}", path.display()));
            file.map(BufWriter::new).with_context(words)
        };
        let ledger = ledger.map(open).transpose()?;
        let state = State { figures: Figures::default(), latency: vec![0; BUCKETS], ledger, ledger_error: None };
        Ok(Self(Mutex::new(state)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn figures(&self) -> Figures {
        self.lock().figures.clone()
    }

    /// Counts events handed to a sender.
    pub fn sent(&self, events: u64) {
        self.lock().figures.sent += events;
    }

    pub fn rejected(&self, field: &str, code: &str, events: u64) {
        let figures = &mut self.lock().figures;
        *figures.rejected.entry((field.to_owned(), code.to_owned())).or_default() += events;
        figures.trouble = None;
    }

    pub fn retry(&self, why: String) {
        let figures = &mut self.lock().figures;
        *figures.retries.entry(why.clone()).or_default() += 1;
        figures.trouble = Some(why);
    }

    pub fn denied(&self) {
        self.lock().figures.denied = true;
    }

    /// Writes an id to the ledger. On disk with the [`Self::answered`] that follows.
    pub fn acknowledged(&self, id: Uuid) {
        let state = &mut *self.lock();
        if let Some(ledger) = &mut state.ledger
            && let Err(error) = writeln!(ledger, "{id}")
        {
            state.ledger_error.get_or_insert(error);
        }
    }

    /// Counts an answered request and flushes the ledger.
    pub fn answered(&self, accepted: u64, duplicates: u64, took: Duration) {
        let state = &mut *self.lock();
        state.figures.accepted += accepted;
        state.figures.duplicates += duplicates;
        state.figures.trouble = None;
        // At least 1 µs, so the logarithm is not negative; the cast cuts to a whole bucket.
        let bucket = (took.as_micros().max(1) as f64).log(BUCKET_STEP) as usize;
        state.latency[bucket.min(BUCKETS - 1)] += 1;
        if let Some(ledger) = &mut state.ledger
            && let Err(error) = ledger.flush()
        {
            state.ledger_error.get_or_insert(error);
        }
    }

    /// The summary of the run.
    ///
    /// # Errors
    /// If an id could not be written to the ledger file: a ledger with gaps proves nothing.
    pub fn summary(&self, seconds: f64, unacknowledged: Vec<Uuid>) -> anyhow::Result<Summary> {
        let state = &mut *self.lock();
        if let Some(error) = state.ledger_error.take() {
            return Err(error).context("cannot write the ledger file");
        }
        let figures = &state.figures;
        let rejected = figures.rejected.iter();
        Ok(Summary {
            seconds,
            sent: figures.sent,
            accepted: figures.accepted,
            duplicates: figures.duplicates,
            rejected: figures.rejected_total(),
            rejections: rejected
                .map(|((field, code), events)| Rejection { field: field.clone(), code: code.clone(), events: *events })
                .collect(),
            retries: figures.retries.clone(),
            accepted_per_second: figures.accepted as f64 / seconds.max(0.001),
            latency_ms_p50: percentile(&state.latency, 0.50),
            latency_ms_p99: percentile(&state.latency, 0.99),
            unacknowledged,
        })
    }
}

fn percentile(buckets: &[u64], share: f64) -> Option<f64> {
    let total: u64 = buckets.iter().sum();
    let wanted = (total as f64 * share).ceil() as u64;
    let mut seen = 0;
    let bucket = buckets.iter().position(|count| {
        seen += count;
        *count > 0 && seen >= wanted
    })?;
    // The middle of the bucket.
    Some(BUCKET_STEP.powf(bucket as f64 + 0.5) / 1_000.0)
}

/// What a run came to; `--json` prints it as it is.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub seconds: f64,
    pub sent: u64,
    pub accepted: u64,
    pub duplicates: u64,
    pub rejected: u64,
    pub rejections: Vec<Rejection>,
    pub retries: BTreeMap<String, u64>,
    pub accepted_per_second: f64,
    /// From the first try of a request to its verdict.
    pub latency_ms_p50: Option<f64>,
    pub latency_ms_p99: Option<f64>,
    /// Events sent that had no verdict when the run was stopped.
    pub unacknowledged: Vec<Uuid>,
}

#[derive(Debug, Serialize)]
pub struct Rejection {
    pub field: String,
    pub code: String,
    pub events: u64,
}

impl Summary {
    /// For people.
    ///
    /// # Errors
    /// If `out` does not take it.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "sent {} events in {:.1} s: {} accepted ({:.0}/s), {} duplicates, {} rejected",
            self.sent, self.seconds, self.accepted, self.accepted_per_second, self.duplicates, self.rejected
        )?;
        if let (Some(p50), Some(p99)) = (self.latency_ms_p50, self.latency_ms_p99) {
            writeln!(out, "  verdict after {p50:.1} ms (p50), {p99:.1} ms (p99)")?;
        }
        for rejection in &self.rejections {
            writeln!(out, "  rejected: {} {}: {}", rejection.field, rejection.code, rejection.events)?;
        }
        for (why, tries) in &self.retries {
            writeln!(out, "  tried again after: {why}: {tries}")?;
        }
        if !self.unacknowledged.is_empty() {
            writeln!(out, "  not acknowledged when stopped: {}", self.unacknowledged.len())?;
            for id in self.unacknowledged.iter().take(IDS_SHOWN) {
                writeln!(out, "    {id}")?;
            }
            if self.unacknowledged.len() > IDS_SHOWN {
                writeln!(out, "    … (--json lists them all)")?;
            }
        }
        Ok(())
    }
}
