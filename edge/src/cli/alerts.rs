//! `smartpick-edge alerts`: what is going on and what was, as the running edge shows it, and acknowledging. Nobody's
//! identity is in it.

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use common::cli::table;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ConfigArgs;
use super::running::{Answer, Running};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Alerts {
    /// Show alerts, latest first. Those that are going on, unless something else is asked for.
    List(ListArgs),
    /// Say that somebody sees to an alert.
    Ack {
        #[arg(value_name = "ALERT")]
        id: Uuid,
        /// For whoever looks at it later.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        whom: Whom,
    },
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which ones.
    #[arg(long, value_enum, default_value_t = State::Open)]
    state: State,
    /// Only of this severity.
    #[arg(long, value_enum)]
    severity: Option<Severity>,
    /// Only of this camera.
    #[arg(long, value_name = "ID")]
    camera: Option<String>,
    /// Only those raised at this time or later, for example 2026-03-29T06:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Print the whole answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    whom: Whom,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Open,
    Raised,
    Acknowledged,
    Cleared,
    Silenced,
    All,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Severity {
    Notice,
    Warning,
    Critical,
}

/// Which edge, and as whom.
#[derive(Debug, Args)]
pub struct Whom {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where the edge listens [default: `listen` of the configuration].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A kiosk's token (`smartpick-edge kiosk add NAME` makes one). Needed once there are accounts, or from elsewhere.
    #[arg(long, value_name = "TOKEN", env = "SMARTPICK_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl Alerts {
    const fn whom(&self) -> &Whom {
        match self {
            Self::List(ListArgs { whom, .. }) | Self::Ack { whom, .. } => whom,
        }
    }

    pub const fn config(&self) -> &ConfigArgs {
        &self.whom().config
    }
}

/// Asks the edge; returns what to say.
pub async fn run(command: &Alerts, config: &Config) -> anyhow::Result<String> {
    let whom = command.whom();
    let running = Running::new(config, whom.url.as_deref(), whom.token.as_deref());
    let answer = match command {
        Alerts::List(args) => running.get(&format!("/api/v1/alerts?{}", query(args)?)).await?,
        Alerts::Ack { id, reason, .. } => {
            let body = json!({"fact_id": Uuid::new_v4(), "note": reason});
            running.post(&format!("/api/v1/alerts/{id}/acknowledge"), &body).await?
        }
    };
    let page = match answer {
        Answer::Page(page) => page,
        Answer::Refused(why) => bail!("{why}"),
        Answer::Silence => bail!(super::Unreachable(running.silence())),
    };
    match command {
        Alerts::List(args) if args.json => Ok(format!("{page:#}\n")),
        Alerts::List(_) => Ok(listed(&page)),
        Alerts::Ack { .. } => {
            let said = &page["acknowledged"];
            Ok(format!("Acknowledged by {} at {}.\n", text(&said["by"]), text(&said["at"])))
        }
    }
}

fn query(args: &ListArgs) -> anyhow::Result<String> {
    let name = |value: clap::builder::PossibleValue| value.get_name().to_owned();
    let mut pairs = vec![("limit", args.limit.to_string())];
    if !matches!(args.state, State::All) {
        pairs.extend(args.state.to_possible_value().map(|value| ("state", name(value))));
    }
    pairs
        .extend(args.severity.and_then(|severity| severity.to_possible_value()).map(|value| ("severity", name(value))));
    pairs.extend(args.camera.clone().map(|camera| ("camera", camera)));
    pairs.extend(args.from.clone().map(|from| ("from", from)));
    let url = reqwest::Url::parse_with_params("http://edge/", &pairs)?;
    Ok(url.query().unwrap_or_default().to_owned())
}

fn listed(page: &Value) -> String {
    let alerts = page["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
    if alerts.is_empty() {
        return "None.\n".to_owned();
    }
    let rows = alerts.iter().map(|alert| {
        let place = alert["camera"].as_str().or(alert["camera_id"].as_str()).or(alert["zone"].as_str());
        [
            text(&alert["alert_id"]).to_owned(),
            text(&alert["raised_at"]).to_owned(),
            text(&alert["state"]).to_owned(),
            text(&alert["severity"]).to_owned(),
            text(&alert["rule"]).to_owned(),
            place.unwrap_or("–").to_owned(),
            text(&alert["summary"]).to_owned(),
        ]
    });
    let mut out = table(["ALERT", "RAISED", "STATE", "SEVERITY", "RULE", "WHERE", "WHAT"], rows);
    if page["next"].is_string() {
        out.push_str("There are more; --limit and --from say which.\n");
    }
    out
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("–")
}
