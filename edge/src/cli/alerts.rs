//! `smartpick-edge alerts`: what is going on and what was, from the running edge, or from the history's file if none runs; and
//! acknowledging. Nobody's identity is in it.

use anyhow::{Context as _, bail};
use chrono::SecondsFormat;
use clap::{Args, Subcommand, ValueEnum as _};
use common::cli::alerts::{Which, listed};
use common::cli::exit::{Because, Exit};
use common::cli::password;
use common::clock;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ConfigArgs;
use super::running::{Answer, Running, data_dir, is_used};
use crate::alerts::api::Page;
use crate::alerts::history::{self, Filter, Store};
use crate::config::Config;
use crate::site::Site;

#[derive(Debug, Subcommand)]
pub enum Alerts {
    /// Show alerts, latest first. Those that are going on, unless something else is asked for.
    List(ListArgs),
    /// Say that somebody sees to an alert. One that is acknowledged already stays as it is.
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
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    whom: Whom,
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
    /// Sign in as this person, for this command only; the password is asked for. A screen may only look, so once there are
    /// accounts acknowledging needs somebody.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Read the password from the first line of standard input.
    #[arg(long, requires = "user")]
    password_stdin: bool,
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

/// Asks the edge, or looks into its files; returns what to say.
pub async fn run(command: &Alerts, config: &Config) -> anyhow::Result<String> {
    let whom = command.whom();
    let mut running = Running::new(config, whom.url.as_deref(), whom.token.as_deref());
    if let Some(name) = &whom.user {
        running.sign_in(name, &password::existing(name, whom.password_stdin)?).await?;
    }
    let told = match command {
        Alerts::List(ListArgs { which, .. }) => list(which, whom, config, &running).await,
        Alerts::Ack { id, reason, .. } => acknowledge(*id, reason.as_deref(), whom, &running).await,
    };
    running.sign_out().await;
    told
}

async fn list(which: &Which, whom: &Whom, config: &Config, running: &Running) -> anyhow::Result<String> {
    let (found, mut page) = match running.get(&format!("/api/v1/alerts?{}", query(which)?)).await? {
        Answer::Page(page) => (None, page),
        Answer::Refused(why) => bail!(refused(&why, whom, "--user NAME, or --token TOKEN")),
        Answer::Silence if whom.url.is_some() => bail!(Exit::Unavailable.because(running.silence())),
        Answer::Silence => found(config, which, running).map(|(place, page)| (Some(place), page))?,
    };
    if which.json {
        page["from"] = found.as_deref().unwrap_or("the running edge").into();
        return Ok(format!("{page:#}\n"));
    }
    let above = found.map(|place| format!("{place}:\n")).unwrap_or_default();
    Ok(above + &listed(&page, place))
}

async fn acknowledge(id: Uuid, reason: Option<&str>, whom: &Whom, running: &Running) -> anyhow::Result<String> {
    let page = |answer| match answer {
        Answer::Page(page) => Ok(page),
        Answer::Refused(why) => Err(refused(&why, whom, "--user NAME")),
        Answer::Silence => Err(Exit::Unavailable.because(running.silence())),
    };
    let known = page(running.get(&format!("/api/v1/alerts/{id}")).await?)?["alert"]["acknowledged"].take();
    let (how, said) = if known.is_null() {
        let body = json!({"fact_id": Uuid::new_v4(), "note": reason});
        let mut alert = page(running.post(&format!("/api/v1/alerts/{id}/acknowledge"), &body).await?)?;
        ("Acknowledged", alert["acknowledged"].take())
    } else {
        ("It was acknowledged already,", known)
    };
    let said = |key: &str| said[key].as_str().unwrap_or("–");
    Ok(format!("{how} by {} at {}.\n", said("by"), said("at")))
}

/// With what would let this command in, unless somebody had signed in already.
fn refused(why: &str, whom: &Whom, how: &str) -> Because {
    let here = if whom.user.is_none() { format!("; with this command: {how}") } else { String::new() };
    Exit::NoPermission.because(format!("{why}{here}"))
}

fn query(which: &Which) -> anyhow::Result<String> {
    let mut pairs = vec![("limit", which.limit.to_string())];
    let state = which.state.0.and_then(|state| state.to_possible_value());
    pairs.extend(state.map(|value| ("state", value.get_name().to_owned())));
    pairs.extend(which.severity.map(|severity| ("severity", severity.as_str().to_owned())));
    pairs.extend(which.camera.clone().map(|camera| ("camera", camera)));
    pairs.extend(which.from.map(|from| ("from", from.to_rfc3339_opts(SecondsFormat::AutoSi, true))));
    let url = reqwest::Url::parse_with_params("http://edge/", &pairs)?;
    Ok(url.query().unwrap_or_default().to_owned())
}

/// What an edge that does not run had written down, in its own words.
fn found(config: &Config, which: &Which, running: &Running) -> anyhow::Result<(String, Value)> {
    let dir = data_dir(config)?;
    if is_used(&dir)? {
        bail!(Exit::Unavailable.because(running.silence()));
    }
    let look = || format!("look into the history in {}; it may be the service's, so try sudo", dir.display());
    let Some(connection) = history::peek(&dir).with_context(look)? else {
        bail!(Exit::Unavailable.because(format!(
            "{}; there is no history in {} either",
            running.silence(),
            dir.display()
        )));
    };
    let filter = Filter {
        state: which.state.0,
        severity: which.severity,
        camera_id: which.camera.clone(),
        from: which.from,
        limit: which.limit.into(),
        ..Filter::default()
    };
    let now = clock::now();
    let list = |mut store: Store| store.list(&filter, now);
    let page = Store::new(connection, config.history.clone()).and_then(list).with_context(look)?;
    let page = serde_json::to_value(Page::of(&page, &Site::new(&config.site)?, now))?;
    Ok((format!("no edge runs; this is the history in {}", dir.display()), page))
}

/// By name, where it has one.
fn place(alert: &Value) -> String {
    let place = alert["camera"].as_str().or(alert["camera_id"].as_str()).or(alert["zone"].as_str());
    place.unwrap_or("–").to_owned()
}
