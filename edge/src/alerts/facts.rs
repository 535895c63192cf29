//! What people say of alerts, from a request to a fact: checked, bounded, named by the client. Where facts are handed
//! in, whether they were made here or at headquarters.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use common::alert::{Fact, NOTE_CHARS_MAX, Origin, RULE_CHARS_MAX, Scope, Statement};
use common::event::CAMERA_ID_CHARS_MAX;
use common::ids::{AlertId, FactId};
use common::text::{has_hidden, hidden_in_lines};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;

use super::history::{HistoryError, Said};

/// Facts that may wait for the floor; people make a few an hour. Beyond it the client is told to come back.
const QUEUE: usize = 64;
/// The longest silence. What should be quiet for longer is a matter for the rules.
const SILENCE_MINUTES_MAX: i64 = 7 * 24 * 60;

/// A fact on its way to the floor.
pub struct Say {
    pub fact: Fact,
    pub reply: oneshot::Sender<Result<Said, HistoryError>>,
}

/// Where facts are handed in.
#[derive(Clone)]
pub struct Desk {
    says: mpsc::Sender<Say>,
}

impl Desk {
    pub fn new() -> (Self, mpsc::Receiver<Say>) {
        let (says, said) = mpsc::channel(QUEUE);
        (Self { says }, said)
    }

    /// Hands a fact in, from here or from headquarters; returns once it is on disk. The same fact twice changes nothing.
    ///
    /// # Errors
    /// If it could not be kept.
    pub async fn apply_fact(&self, fact: Fact) -> Result<Said, HistoryError> {
        let (reply, answer) = oneshot::channel();
        self.says.try_send(Say { fact, reply }).map_err(|_| HistoryError::Busy)?;
        answer.await.unwrap_or(Err(HistoryError::Busy))
    }
}

/// A request that cannot become a fact: which field, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Refusal {
    pub field: &'static str,
    pub problem: String,
}

impl Refusal {
    fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

/// `POST /api/v1/alerts/{id}/acknowledge`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// Made by the client, so that a request sent twice is one acknowledgement.
    fact_id: FactId,
    #[serde(default)]
    #[schema(max_length = 500)]
    note: Option<String>,
}

/// `POST /api/v1/silences`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeSilence {
    /// Made by the client, so that a request sent twice is one silence.
    silence_id: FactId,
    #[serde(default)]
    scope: Scope,
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// From now; either this or `until`.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10080)]
    minutes: Option<i64>,
    /// At most a week away.
    #[serde(default)]
    until: Option<DateTime<Utc>>,
}

/// `POST /api/v1/silences/{id}/end`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndSilence {
    /// Made by the client, so that a request sent twice ends it once.
    fact_id: FactId,
}

impl Acknowledge {
    /// # Errors
    /// The field that cannot be used.
    pub fn fact(self, alert_id: AlertId, by: &str, now: DateTime<Utc>) -> Result<Fact, Refusal> {
        let note = match self.note.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(note) => Some(said("note", note)?),
        };
        Ok(fact(self.fact_id, by, now, Statement::Acknowledge { alert_id, note }))
    }
}

impl MakeSilence {
    /// # Errors
    /// The field that cannot be used.
    pub fn fact(self, by: &str, now: DateTime<Utc>) -> Result<Fact, Refusal> {
        let reason = match self.reason.trim() {
            "" => return Err(Refusal::new("reason", "say why, for those who wonder later")),
            reason => said("reason", reason)?,
        };
        let scope = Scope {
            rule: self.scope.rule.map(|rule| text("scope.rule", &rule, RULE_CHARS_MAX)).transpose()?,
            camera_id: self
                .scope
                .camera_id
                .map(|camera| text("scope.camera_id", &camera, CAMERA_ID_CHARS_MAX))
                .transpose()?,
            ..self.scope
        };
        let longest = now + TimeDelta::minutes(SILENCE_MINUTES_MAX);
        let until = match (self.minutes, self.until) {
            (Some(minutes @ 1..=SILENCE_MINUTES_MAX), None) => now + TimeDelta::minutes(minutes),
            (Some(_), None) => {
                return Err(Refusal::new("minutes", format!("must be 1 to {SILENCE_MINUTES_MAX} (a week)")));
            }
            (None, Some(until)) if until > now && until <= longest => until.trunc_subsecs(6),
            (None, Some(_)) => return Err(Refusal::new("until", "must lie in the future, at most a week ahead")),
            (None, None) => return Err(Refusal::new("minutes", "say how long; every silence ends by itself")),
            (Some(_), Some(_)) => return Err(Refusal::new("until", "send either minutes or until, not both")),
        };
        Ok(fact(self.silence_id, by, now, Statement::Silence { scope, reason, until }))
    }
}

impl EndSilence {
    pub fn fact(self, silence_id: FactId, by: &str, now: DateTime<Utc>) -> Fact {
        fact(self.fact_id, by, now, Statement::EndSilence { silence_id })
    }
}

/// Whether a fact that was there before says the same as one that has just been made under its id. When it was said
/// does not matter, for that is the first one's.
pub fn says_the_same(before: &Fact, after: &Fact) -> bool {
    let same = match (&before.statement, &after.statement) {
        (
            Statement::Silence { scope, reason, until },
            Statement::Silence { scope: scope2, reason: reason2, until: until2 },
        ) => (scope, reason) == (scope2, reason2) && (until == until2 || *until - before.at == *until2 - after.at),
        (one, other) => one == other,
    };
    same && before.by == after.by && before.origin == after.origin
}

fn fact(fact_id: FactId, by: &str, at: DateTime<Utc>, statement: Statement) -> Fact {
    Fact { fact_id, at, by: by.to_owned(), origin: Origin::Edge, statement }
}

/// What somebody says in words of their own, on several lines if need be.
fn said(field: &'static str, words: &str) -> Result<String, Refusal> {
    match hidden_in_lines(words) {
        Some(c) => Err(Refusal::new(field, has_hidden(c))),
        None => sized(field, words, NOTE_CHARS_MAX),
    }
}

fn text(field: &'static str, text: &str, chars_max: usize) -> Result<String, Refusal> {
    if text.chars().any(char::is_control) {
        return Err(Refusal::new(field, "contains control characters; send plain text"));
    }
    sized(field, text, chars_max)
}

fn sized(field: &'static str, text: &str, chars_max: usize) -> Result<String, Refusal> {
    let chars = text.chars().count();
    if chars == 0 || chars > chars_max {
        return Err(Refusal::new(field, format!("has {chars} characters; 1 to {chars_max} are taken")));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-07-29T10:00:00Z".parse().expect("a time")
    }

    fn silence(change: serde_json::Value) -> Result<Fact, Refusal> {
        let mut body = json!({"silence_id": uuid::Uuid::nil(), "reason": "camera is being cleaned"});
        body.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        serde_json::from_value::<MakeSilence>(body).expect("the shape").fact("anna", now())
    }

    #[test]
    fn what_cannot_be_a_silence_names_its_field() {
        for (change, field) in [
            (json!({}), "minutes"),
            (json!({"minutes": 0}), "minutes"),
            (json!({"minutes": -5}), "minutes"),
            (json!({"minutes": 10_081}), "minutes"),
            (json!({"until": "2026-07-29T10:00:00Z"}), "until"),
            (json!({"until": "2026-08-05T10:00:01Z"}), "until"),
            (json!({"until": "2026-07-29T11:00:00Z", "minutes": 60}), "until"),
            (json!({"minutes": 5, "reason": " \n"}), "reason"),
            (json!({"minutes": 5, "reason": "x".repeat(501)}), "reason"),
            (json!({"minutes": 5, "reason": "a\u{0}b"}), "reason"),
            (json!({"minutes": 5, "reason": "seen\u{202e}nees"}), "reason"),
            (json!({"minutes": 5, "scope": {"rule": "a\nb"}}), "scope.rule"),
            (json!({"minutes": 5, "scope": {"rule": ""}}), "scope.rule"),
            (json!({"minutes": 5, "scope": {"camera_id": "c".repeat(256)}}), "scope.camera_id"),
        ] {
            assert_eq!(silence(change.clone()).expect_err("refused").field, field, "{change}");
        }
        assert!(silence(json!({"minutes": 10_080, "reason": "x".repeat(500)})).is_ok());
        assert!(silence(json!({"until": "2026-08-05T10:00:00Z"})).is_ok());
    }

    #[test]
    fn what_nobody_would_see_is_named_and_lines_are_taken() {
        let noted = |note: &str| {
            let body = json!({"fact_id": uuid::Uuid::nil(), "note": note});
            let acknowledge = serde_json::from_value::<Acknowledge>(body).expect("the shape");
            acknowledge.fact(AlertId::from_uuid(uuid::Uuid::nil()), "anna", now())
        };
        let refusal = noted("going\u{200b}").expect_err("refused");
        assert_eq!(refusal.field, "note");
        assert_eq!(refusal.problem, r"has '\u{200b}' in it, which nobody would see; leave it out");
        let refusal = silence(json!({"minutes": 5, "reason": "\u{202e}olleh"})).expect_err("refused");
        assert!(refusal.problem.contains(r"'\u{202e}'"), "{refusal:?}");
        assert!(noted("Łukasz geht hin,\nin 5 min \u{26a0}\u{fe0f}").is_ok());
    }

    #[test]
    fn a_retry_says_the_same_and_anything_else_does_not() {
        let first = silence(json!({"minutes": 30})).expect("valid");
        let Statement::Silence { until, .. } = first.statement else { panic!("a silence") };
        let later = |change| {
            let mut fact = silence(change).expect("valid");
            let shift = TimeDelta::seconds(5);
            fact.at += shift;
            if let Statement::Silence { until, .. } = &mut fact.statement {
                *until += shift;
            }
            fact
        };
        assert!(says_the_same(&first, &later(json!({"minutes": 30}))));
        assert!(!says_the_same(&first, &later(json!({"minutes": 31}))));
        assert!(!says_the_same(&first, &later(json!({"minutes": 30, "reason": "other"}))));
        assert!(!says_the_same(&first, &Fact { by: "ben".to_owned(), ..first.clone() }));
        assert!(says_the_same(&first, &silence(json!({"until": until})).expect("valid")));
    }
}
