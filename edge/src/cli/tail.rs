//! `smartpick-edge tail`: follows the alerts of a running edge in a terminal, for as long as it takes: through restarts,
//! cut links and full places.

mod lines;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use common::backoff::Backoff;
use common::cli::exit::Exit;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, header};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

use super::{ConfigArgs, complain, local};
use crate::config::Config;
use crate::live::Topics;
use lines::Lines;

/// Soon enough that nobody thinks of doing it by hand, and a box that boots is not drowned.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(15));
/// The edge says something every five seconds; three missing in a row mean that the link is dead.
const SILENCE_MAX: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct TailArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The edge to follow [default: `listen` of the configuration].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// What to follow: alerts, snapshots, health, separated by commas.
    #[arg(long, value_name = "LIST", default_value = "alerts", value_parser = topics)]
    topics: String,
    /// Print each message as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Show times in UTC instead of the site's time zone.
    #[arg(long)]
    utc: bool,
    /// A kiosk's token (`smartpick-edge kiosk add NAME` makes one). Needed once there are accounts, or from elsewhere.
    #[arg(long, visible_alias = "kiosk", value_name = "TOKEN", env = "SMARTPICK_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

fn topics(text: &str) -> Result<String, String> {
    Topics::parse(text).map(|_| text.to_owned())
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why following has to begin anew, or is over.
enum Broken {
    /// Trying again can help.
    Lost { why: String, retry_after: Option<Duration> },
    /// It cannot: somebody has to do something.
    Refused(String),
    /// Nobody reads what we print any more.
    Unread,
}

impl Broken {
    fn lost(error: impl Into<anyhow::Error>) -> Self {
        Self::Lost { why: format!("{:#}", error.into()), retry_after: None }
    }
}

/// Follows until Ctrl-C, or until nobody reads it any more.
pub async fn follow(config: &Config, args: &TailArgs) -> ExitCode {
    let tls = match args.url.as_ref().map_or_else(|| local::tls().map(Some), |_| Ok(None)) {
        Ok(tls) => tls.map(Arc::new),
        Err(error) => return complain(&format!("set up TLS: {error}"), Exit::Failure),
    };
    let base = args.url.clone().unwrap_or_else(|| local::base(config));
    let base = base.trim_end_matches('/').to_owned();
    if !base.starts_with("http://") && !base.starts_with("https://") {
        return complain("--url: must begin with http:// or https://, for example http://127.0.0.1:8080", Exit::Usage);
    }
    let mut tail = Tail { args, base, tls, place: None, lost: false, attempt: 0, lines: None };
    tokio::select! {
        code = tail.run() => code,
        // The person at the keyboard has seen enough.
        _ = tokio::signal::ctrl_c() => ExitCode::SUCCESS,
    }
}

struct Tail<'a> {
    args: &'a TailArgs,
    base: String,
    /// For the edge on this box.
    tls: Option<Arc<rustls::ClientConfig>>,
    /// Run and seq of the last message.
    place: Option<(String, u64)>,
    /// Whether it was said that the connection is lost.
    lost: bool,
    attempt: u32,
    /// What turns messages into lines; known once the edge has told its time zone.
    lines: Option<Lines>,
}

impl Tail<'_> {
    async fn run(&mut self) -> ExitCode {
        loop {
            let Err(broken) = self.follow_once().await;
            let retry_after = match broken {
                Broken::Unread => return ExitCode::SUCCESS,
                Broken::Refused(why) => return complain(&why, Exit::Failure),
                Broken::Lost { why, retry_after } => {
                    if !self.lost {
                        let what = if self.place.is_none() { "cannot reach" } else { "lost the connection to" };
                        self.remark(&format!("{what} {}: {why}; trying again until it is there", self.base));
                        self.lost = true;
                    }
                    retry_after
                }
            };
            let delay = BACKOFF.delay(self.attempt, retry_after, &mut rand::rng());
            self.attempt = self.attempt.saturating_add(1);
            tokio::time::sleep(delay).await;
        }
    }

    async fn follow_once(&mut self) -> Result<std::convert::Infallible, Broken> {
        let credentials = self.credentials()?;
        if self.lines.is_none() && !self.args.json {
            self.lines = Some(Lines::new(self.time_zone(&credentials).await?));
        }
        let mut socket = self.connect(credentials).await?;
        loop {
            let said = tokio::time::timeout(SILENCE_MAX, socket.next()).await;
            match said.map_err(|_| Broken::lost(anyhow!("nothing heard for {} s", SILENCE_MAX.as_secs())))? {
                Some(Ok(Message::Text(text))) => self.show(text.as_str())?,
                Some(Ok(Message::Close(frame))) => {
                    let reason =
                        frame.map(|frame| frame.reason.as_str().to_owned()).filter(|reason| !reason.is_empty());
                    return Err(Broken::lost(anyhow!(reason.unwrap_or_else(|| "the edge closed it".to_owned()))));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Broken::lost(error)),
                None => return Err(Broken::lost(anyhow!("the edge closed it"))),
            }
        }
    }

    /// The header that says who we are.
    fn credentials(&self) -> Result<HeaderMap, Broken> {
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.args.token {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let value = value.map_err(|_| Broken::Refused("--token: has characters that no token has".to_owned()))?;
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(headers)
    }

    /// In which time zone to show times: the site's, if the edge tells it.
    async fn time_zone(&self, credentials: &HeaderMap) -> Result<Option<chrono_tz::Tz>, Broken> {
        if self.args.utc {
            return Ok(None);
        }
        let client = reqwest::Client::builder();
        let client = match &self.tls {
            Some(tls) => client.tls_backend_preconfigured((**tls).clone()),
            None => client,
        };
        let client = client.build().map_err(Broken::lost)?;
        let ask = client.get(format!("{}/api/v1/site", self.base)).timeout(CONNECT_TIMEOUT);
        let answer = ask.headers(credentials.clone()).send().await.context("ask for the site's time zone");
        let answer = answer.map_err(Broken::lost)?;
        // The WebSocket will say what is wrong, if something is.
        let site: Value = answer.json().await.unwrap_or_default();
        Ok(site["time_zone"].as_str().and_then(|name| name.parse().ok()))
    }

    async fn connect(&self, credentials: HeaderMap) -> Result<Socket, Broken> {
        let mut url = format!("ws{}/ws/live?topics={}", self.base.trim_start_matches("http"), self.args.topics);
        if let Some((run, seq)) = &self.place {
            url.push_str(&format!("&run={run}&after={seq}"));
        }
        let mut request = url.into_client_request().map_err(|error| Broken::Refused(format!("--url: {error}")))?;
        request.headers_mut().extend(credentials);
        let connector = self.tls.clone().map(Connector::Rustls);
        let connect = tokio_tungstenite::connect_async_tls_with_config(request, None, false, connector);
        match tokio::time::timeout(CONNECT_TIMEOUT, connect).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(tungstenite::Error::Http(answer))) => {
                let body = answer.body().as_deref().unwrap_or_default();
                Err(self.refusal(answer.status().as_u16(), retry_after(answer.headers()), body))
            }
            Ok(Err(error)) => Err(Broken::lost(error)),
            Err(_) => Err(Broken::lost(anyhow!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))),
        }
    }

    /// What an answer that is no welcome means.
    fn refusal(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> Broken {
        let problem: Value = serde_json::from_slice(body).unwrap_or_default();
        let said = problem["message"].as_str().map_or_else(|| format!("HTTP {status}"), str::to_owned);
        match status {
            400 | 401 | 403 | 404 | 405 | 426 => Broken::Refused(format!("{} refused: {said}", self.base)),
            _ => Broken::Lost { why: said, retry_after },
        }
    }

    /// Prints one message.
    fn show(&mut self, text: &str) -> Result<(), Broken> {
        let message: Value = serde_json::from_str(text).context("read a message").map_err(Broken::lost)?;
        let kind = message["type"].as_str().unwrap_or_default();
        self.note_return(kind, &message);
        if let Some(run) = message["run"].as_str() {
            self.place = Some((run.to_owned(), 0));
        }
        if let (Some((_, seq)), Some(now)) = (&mut self.place, message["seq"].as_u64()) {
            *seq = now;
        }
        if kind == "beat" {
            return Ok(());
        }
        if kind == "missed" {
            self.remark(&format!("{} changes were missed, this was too slow; here is the present", message["count"]));
        }
        let mut out = anstream::stdout().lock();
        let written = match &mut self.lines {
            Some(lines) => lines.of(&message).iter().try_for_each(|line| writeln!(out, "{line}")),
            None => writeln!(out, "{text}"),
        };
        written.and_then(|()| out.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Broken::Unread,
            _ => Broken::Refused(format!("write to the standard output: {error}")),
        })
    }

    /// Says on stderr that the first message after a loss has come.
    fn note_return(&mut self, kind: &str, message: &Value) {
        self.attempt = 0;
        if !std::mem::take(&mut self.lost) {
            return;
        }
        let same_run = self.place.as_ref().is_some_and(|(run, _)| message["run"].as_str() == Some(run));
        self.remark(match (kind, &self.place) {
            ("resumed", _) => "connected again; nothing was missed",
            (_, None) => "connected",
            _ if same_run => "connected again after a long time; here is the present",
            _ => "connected again; the edge was started anew, here is the present",
        });
    }

    fn remark(&self, text: &str) {
        // Whoever closed it does not want to know.
        drop(writeln!(io::stderr(), "smartpick-edge: {text}"));
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let secs = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(secs))
}
