//! Which database headquarters answers from, and whether that is still the one that everything was confirmed by. Pure: no
//! clock, no disk.

use std::time::{Duration, Instant};

use common::protocol::DatabaseMark;

/// If a database that was left is back within this, there are two of them, and neither is a restored other one.
const ALTERNATES_WITHIN: Duration = Duration::from_secs(600);
/// Former databases that are remembered.
const FORMER_MAX: usize = 8;

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the database we know.
    Same,
    /// It is another one, or has gone back in time: it may lack what was confirmed, and has not been asked yet.
    Unchecked,
    /// Answers come from several databases in turn. Nothing is to be sent again because of it.
    Alternating,
}

/// What was known when a question was asked: its answer cannot be older.
#[derive(Debug, Clone, Default)]
pub struct Asked(Option<DatabaseMark>);

/// See the module.
#[derive(Debug, Default)]
pub struct Watch {
    current: Option<DatabaseMark>,
    /// Those before it, and when they were last heard.
    former: Vec<(String, Instant)>,
    alternating_until: Option<Instant>,
    unchecked: bool,
}

impl Watch {
    /// `known`: the database that everything confirmed is believed to be in.
    pub fn new(known: Option<DatabaseMark>) -> Self {
        Self { current: known, ..Self::default() }
    }

    pub fn ask(&self) -> Asked {
        Asked(self.current.clone())
    }

    /// An answer came to what was asked then.
    pub fn hear(&mut self, mark: &DatabaseMark, asked: &Asked, now: Instant) -> Verdict {
        self.former.retain(|(_, heard)| now.saturating_duration_since(*heard) < ALTERNATES_WITHIN);
        if self.alternating_until.is_some_and(|until| now >= until) {
            self.alternating_until = None;
        }
        match &mut self.current {
            Some(current) if current.identity == mark.identity => {
                let before = asked.0.as_ref().filter(|asked| asked.identity == mark.identity);
                if before.is_some_and(|asked| mark.position < asked.position) {
                    self.unchecked = true;
                    current.position = mark.position;
                } else {
                    current.position = current.position.max(mark.position);
                }
            }
            Some(current) => {
                if self.former.iter().any(|(identity, _)| *identity == mark.identity) {
                    self.alternating_until = Some(now + ALTERNATES_WITHIN);
                }
                self.former.retain(|(identity, _)| *identity != mark.identity);
                self.former.push((std::mem::replace(&mut current.identity, mark.identity.clone()), now));
                if self.former.len() > FORMER_MAX {
                    self.former.remove(0);
                }
                current.position = mark.position;
                self.unchecked = true;
            }
            None => self.current = Some(mark.clone()),
        }
        self.verdict()
    }

    fn verdict(&self) -> Verdict {
        match (self.alternating_until, self.unchecked) {
            (Some(_), _) => Verdict::Alternating,
            (None, true) => Verdict::Unchecked,
            (None, false) => Verdict::Same,
        }
    }

    /// Whether it is to be asked what it lacks, and the last word was not that there are several.
    pub fn is_unchecked(&self) -> bool {
        self.verdict() == Verdict::Unchecked
    }

    pub fn is_alternating(&self, now: Instant) -> bool {
        self.alternating_until.is_some_and(|until| now < until)
    }

    /// It was asked what it lacks, and that is noted.
    pub fn checked(&mut self, identity: &str) {
        if self.current.as_ref().is_some_and(|current| current.identity == identity) {
            self.unchecked = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(identity: &str, position: u64) -> DatabaseMark {
        DatabaseMark { identity: identity.to_owned(), position }
    }

    /// Hears an answer that was asked for just before.
    fn hear(watch: &mut Watch, identity: &str, position: u64, now: Instant) -> Verdict {
        let asked = watch.ask();
        watch.hear(&mark(identity, position), &asked, now)
    }

    #[test]
    fn a_database_that_goes_on_is_the_same() {
        let (mut watch, now) = (Watch::new(None), Instant::now());
        assert_eq!(hear(&mut watch, "a", 10, now), Verdict::Same);
        assert_eq!(hear(&mut watch, "a", 10, now), Verdict::Same);
        // Two questions on their way at a time, answered in the other order.
        let (first, second) = (watch.ask(), watch.ask());
        assert_eq!(watch.hear(&mark("a", 30), &second, now), Verdict::Same);
        assert_eq!(watch.hear(&mark("a", 20), &first, now), Verdict::Same);
    }

    #[test]
    fn another_one_and_one_that_went_back_are_to_be_checked_until_they_were() {
        let (mut watch, now) = (Watch::new(Some(mark("a", 10))), Instant::now());
        assert_eq!(hear(&mut watch, "b", 5, now), Verdict::Unchecked, "another");
        assert_eq!(hear(&mut watch, "b", 6, now), Verdict::Unchecked, "still");
        watch.checked("a");
        assert!(watch.is_unchecked(), "that was not this one");
        watch.checked("b");
        assert_eq!(hear(&mut watch, "b", 7, now), Verdict::Same);
        assert_eq!(hear(&mut watch, "b", 3, now), Verdict::Unchecked, "put back in place");
        watch.checked("b");
        assert_eq!(hear(&mut watch, "b", 4, now), Verdict::Same);
    }

    #[test]
    fn what_the_last_run_knew_counts() {
        let mut watch = Watch::new(Some(mark("a", 10)));
        assert_eq!(hear(&mut watch, "a", 9, Instant::now()), Verdict::Unchecked);
    }

    #[test]
    fn two_in_turn_are_left_alone_until_one_stays() {
        let (mut watch, mut now) = (Watch::new(Some(mark("a", 10))), Instant::now());
        assert_eq!(hear(&mut watch, "b", 10, now), Verdict::Unchecked);
        for turn in 0..100 {
            now += Duration::from_secs(10);
            assert_eq!(hear(&mut watch, ["a", "b"][turn % 2], 10, now), Verdict::Alternating, "turn {turn}");
            assert!(watch.is_alternating(now) && !watch.is_unchecked());
        }
        for _ in 0..59 {
            now += Duration::from_secs(10);
            assert_eq!(hear(&mut watch, "b", 10, now), Verdict::Alternating);
        }
        now += Duration::from_secs(10);
        assert_eq!(hear(&mut watch, "b", 10, now), Verdict::Unchecked, "it stayed, and was never asked");
        watch.checked("b");
        assert_eq!(hear(&mut watch, "b", 10, now), Verdict::Same);
    }

    #[test]
    fn a_failover_and_one_back_an_hour_later_are_two_changes() {
        let (mut watch, now) = (Watch::new(Some(mark("a", 10))), Instant::now());
        assert_eq!(hear(&mut watch, "b", 10, now), Verdict::Unchecked);
        watch.checked("b");
        assert_eq!(hear(&mut watch, "a", 10, now + Duration::from_secs(3_600)), Verdict::Unchecked);
    }
}
