//! What the floor counts. Rules are named by the configuration, so their number is ours to bound; nobody's identity and
//! no zone or camera is a label.

use common::alert::Severity;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabel {
    rule: String,
    severity: &'static str,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct AlertMetrics {
    raised: Family<RuleLabel, Counter>,
    pub open: Gauge,
    /// Observations the rules left out because they came after their time had been judged.
    pub late: Counter,
}

impl AlertMetrics {
    /// `rules`: those whose counters are shown from the start. `unevaluated`: the entrance's.
    pub fn new<'r>(
        registry: &mut Registry,
        unevaluated: Counter,
        rules: impl IntoIterator<Item = (&'r str, Severity)>,
    ) -> Self {
        let metrics = Self::default();
        for (rule, severity) in rules {
            drop(metrics.raised.get_or_create(&label(rule, severity)));
        }
        let r = registry.sub_registry_with_prefix("smartpick_alerts");
        r.register("raised", "Alerts raised", metrics.raised.clone());
        r.register("open", "Alerts that are going on", metrics.open.clone());
        r.register("unevaluated", "Accepted events the rules could not look at: too many at once", unevaluated);
        r.register(
            "late",
            "Accepted events that came too late for the rules, counted by each rule",
            metrics.late.clone(),
        );
        metrics
    }

    /// Other rules are in force: counters of those that went are shown no more, so that their number stays bounded.
    pub fn replace<'r>(
        &self,
        before: impl IntoIterator<Item = (&'r str, Severity)>,
        rules: impl IntoIterator<Item = (&'r str, Severity)>,
    ) {
        let mut gone: Vec<RuleLabel> = before.into_iter().map(|(rule, severity)| label(rule, severity)).collect();
        for (rule, severity) in rules {
            let label = label(rule, severity);
            drop(self.raised.get_or_create(&label));
            gone.retain(|before| *before != label);
        }
        for label in gone {
            self.raised.remove(&label);
        }
    }

    pub fn raised(&self, rule: &str, severity: Severity) {
        self.raised.get_or_create(&label(rule, severity)).inc();
    }
}

fn label(rule: &str, severity: Severity) -> RuleLabel {
    RuleLabel { rule: rule.to_owned(), severity: severity.as_str() }
}
