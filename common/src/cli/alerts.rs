//! `alerts list`, as both command lines have it: which ones, and how they are shown. Nobody's identity is in it.

use chrono::{DateTime, Utc};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::table;
use crate::alert::{Severity, StateFilter};

/// Which alerts.
#[derive(Debug, Args)]
pub struct Which {
    /// Which ones.
    #[arg(long, value_enum, default_value_t = State(Some(StateFilter::Open)))]
    pub state: State,
    /// Only of this severity.
    #[arg(long, value_enum)]
    pub severity: Option<Severity>,
    /// Only of this camera.
    #[arg(long, value_name = "ID")]
    pub camera: Option<String>,
    /// Only those raised at this time or later, for example 2026-03-29T06:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub from: Option<DateTime<Utc>>,
    /// How many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub limit: u16,
    /// Print the whole answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// As the API takes it; `None` is said as `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State(pub Option<StateFilter>);

impl ValueEnum for State {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: &[State] = &[
            State(Some(StateFilter::Open)),
            State(Some(StateFilter::Raised)),
            State(Some(StateFilter::Acknowledged)),
            State(Some(StateFilter::Cleared)),
            State(Some(StateFilter::Silenced)),
            State(None),
        ];
        ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let Self(Some(filter)) = self else { return Some(PossibleValue::new("all").help("All that are kept")) };
        filter.to_possible_value()
    }
}

/// A page of alerts as a table; `place` says where one was.
pub fn listed(page: &Value, place: impl Fn(&Value) -> String) -> String {
    let alerts = page["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
    if alerts.is_empty() {
        return "None.\n".to_owned();
    }
    let text = |value: &Value| value.as_str().unwrap_or("–").to_owned();
    let rows = alerts.iter().map(|alert| {
        let [id, raised, state] = ["alert_id", "raised_at", "state"].map(|key| text(&alert[key]));
        let [severity, rule, what] = ["severity", "rule", "summary"].map(|key| text(&alert[key]));
        [id, raised, state, severity, rule, place(alert), what]
    });
    let mut out = table(["ALERT", "RAISED", "STATE", "SEVERITY", "RULE", "WHERE", "WHAT"], rows);
    if page["next"].is_string() {
        out.push_str("There are more; --limit and --from say which.\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_of_the_api_can_be_said_and_all_too() {
        let named = |value: &dyn Fn(&str) -> bool| StateFilter::NAMES.split(", ").all(value);
        assert!(named(&|name| StateFilter::from_str(name, false).is_ok()));
        assert!(named(&|name| State::from_str(name, false) == StateFilter::from_str(name, false).map(Some).map(State)));
        assert_eq!(StateFilter::NAMES.split(", ").count(), StateFilter::value_variants().len());
        assert_eq!(State::value_variants().len(), StateFilter::value_variants().len() + 1);
        assert_eq!(State::from_str("all", false), Ok(State(None)));
    }
}
