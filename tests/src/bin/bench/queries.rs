//! (g) Headquarters' dashboards over months of [rollups] of a large fleet: first alone, then while that
//! fleet's edges beat and one site's events are stored at full rate.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng as _;
use reqwest::StatusCode;
use tests::central::Central;
use tests::dir::Dir;
use tests::stack::{Options, Stack};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::client::raise_file_limit;
use crate::heartbeats::Fleet;
use crate::latency::{Feed, looker, steady};
use crate::report::{Report, percentile};
use crate::rollups::{self, Clock, DAYS, Rollups};
use crate::usage::Meter;

const ALONE: &str = "(g) dashboards over 90 days, nothing else going on";
/// What goes on beside.
struct Beside {
    part: &'static str,
    /// How many dashboards a second are begun.
    dashboards: u32,
    /// Events come through an edge, which with its Redis then shares the machine with headquarters.
    with_edge: bool,
}

const BESIDE: [Beside; 3] = [
    Beside {
        part: "(g) headquarters by itself, 5,000 events/s of fifty edges, one dashboard a second",
        dashboards: 1,
        with_edge: false,
    },
    Beside {
        part: "(g) headquarters by itself, 5,000 events/s of fifty edges, four dashboards a second",
        dashboards: 4,
        with_edge: false,
    },
    Beside {
        part: "(g) headquarters and an edge on one machine, 5,000 events/s, one dashboard a second",
        dashboards: 1,
        with_edge: true,
    },
];
/// Each sends what it has gathered in half a second.
const FEEDING: usize = 50;
const SITES: f64 = 500.0;
/// How often each question is asked while nothing else goes on, one after the other, and how long at most.
const ASKED: usize = 100;
const ASKED_FOR: Duration = Duration::from_secs(12);
const RATE: usize = 5_000;
/// People who look at the fleet's page: so many ask in a second, whether the last was answered or not. Dashboards are asked
/// for in the same way. One of those a second is fifty people who open a page of four every 200 s.
const PAGES_PER_SEC: u32 = 10;

/// A question, and the answer's time that is aimed at.
struct Question {
    name: &'static str,
    path: String,
    /// By which clock the site goes that is asked about; none: it is about all sites.
    of: Option<Clock>,
    aim_ms: Option<u32>,
    /// Also asked beside the load.
    beside: bool,
}

fn questions(rollups: &Rollups) -> Vec<Question> {
    let range = |days: i64| format!("from={}&to={}", stamp(rollups.to - TimeDelta::days(days)), stamp(rollups.to));
    let (all, month) = (range(DAYS), range(30));
    let before = format!("with_from={}&with_to={}", stamp(rollups.from), stamp(rollups.from + TimeDelta::days(30)));
    let question = |name, path, of, aim_ms, beside| Question { name, path, of, aim_ms, beside };
    vec![
        question("fleet page", "fleet/health".to_owned(), None, Some(50), true),
        question("trend by days", format!("trend?by=day&{all}"), Some(Clock::WholeHours), Some(200), true),
        question("trend by hours", format!("trend?by=hour&{all}"), Some(Clock::WholeHours), Some(200), true),
        question("heat map", format!("heatmap?{all}"), Some(Clock::WholeHours), Some(200), true),
        question(
            "trend by days, zone half an hour off",
            format!("trend?by=day&{all}"),
            Some(Clock::HalfHours),
            None,
            true,
        ),
        question(
            "trend by hours, zone half an hour off",
            format!("trend?by=hour&{all}"),
            Some(Clock::HalfHours),
            None,
            true,
        ),
        question("heat map, zone half an hour off", format!("heatmap?{all}"), Some(Clock::HalfHours), None, true),
        question(
            "trend by hours, shifts at a quarter past",
            format!("trend?by=hour&{all}"),
            Some(Clock::OddShifts),
            None,
            true,
        ),
        question(
            "trend by shifts, at a quarter past",
            format!("trend?by=shift&{all}"),
            Some(Clock::OddShifts),
            None,
            false,
        ),
        question("distribution", format!("distribution?{all}"), Some(Clock::WholeHours), None, false),
        question("comparison of two months", format!("compare?{month}&{before}"), Some(Clock::WholeHours), None, false),
        question("ranking of all sites", format!("ranking?{all}"), None, None, false),
    ]
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub async fn measure(report: &mut Report, scale: f64, data: Option<&Path>) -> anyhow::Result<()> {
    raise_file_limit()?;
    let dir = Dir::new()?;
    let home = match data {
        Some(data) => {
            std::fs::create_dir_all(data).with_context(|| format!("make {}", data.display()))?;
            data.canonicalize().with_context(|| format!("find {}", data.display()))?
        }
        None => dir.sub("rollups")?,
    };
    let rollups = rollups::prepare(&home, ((SITES * scale) as i32).max(10)).await?;
    let size = format!("{:.1} GB", rollups.bytes as f64 / 1e9);
    match rollups.made_in {
        Some(took) => {
            report.add_noted(ALONE, format!("{} sites made in", rollups.sites.len()), took.as_secs_f64(), "s", size)
        }
        None => report.add_noted(ALONE, "sites, made earlier", rollups.sites.len() as f64, "", size),
    }
    let stack = Stack::start(Options { postgres_home: Some(rollups.home.clone()), ..Options::default() }).await?;
    let ids: Vec<Uuid> = rollups.sites.iter().map(|site| site.warehouse_id).collect();
    // A box in each warehouse.
    let mut fleet = Fleet::register(&stack.database_url, &ids, 1).await?;
    fleet.beat(&stack.centrals[0].url, 1).await?;

    let asker = Asker::new(&stack.centrals[0], &rollups)?;
    for question in &asker.questions {
        let (mut answers, began) = (Answers::default(), Instant::now());
        while answers.took.len() < ASKED && began.elapsed() < ASKED_FOR {
            answers.push(asker.ask(question, Instant::now()).await?);
        }
        answers.add_to(report, ALONE, question);
    }
    let time = Duration::from_secs_f64((120.0 * scale).max(10.0));
    for what in &BESIDE {
        let mut feed = if what.with_edge {
            Feed::cameras(&stack.edges[0]).await?
        } else {
            Feed::edges(&stack, &ids[..FEEDING.min(ids.len())]).await?
        };
        beside(report, what, &stack, &mut feed, &mut fleet, &asker, time).await?;
    }
    Ok(())
}

/// Asks at its own pace while events are stored and edges beat.
async fn beside(
    report: &mut Report,
    what: &Beside,
    stack: &Stack,
    feed: &mut Feed,
    fleet: &mut Fleet,
    asker: &Asker,
    time: Duration,
) -> anyhow::Result<()> {
    let pool = looker(&stack.database_url).await?;
    // Connections, caches, plans.
    steady(feed, &pool, RATE, Duration::from_secs(3)).await?;
    let postgres = stack.postgres.as_ref().context("the stack has its own Postgres")?;
    let meters = [
        Meter::start("edge", stack.edges[0].service().pid())?,
        Meter::start("edge's Redis", stack.edge_redis[0].service().pid())?,
        Meter::start("central", stack.centrals[0].service().pid())?,
        Meter::start("central's Redis", stack.central_redis.service().pid())?,
        Meter::start("Postgres", postgres.service().pid())?,
        Meter::start("all clients (this bench)", Some(std::process::id()))?,
    ];
    let started = Instant::now();
    let beats = fleet.beat(&stack.centrals[0].url, (time.as_secs() / 10) as usize);
    let (latencies, answers, beats) =
        tokio::join!(steady(feed, &pool, RATE, time), asker.ask_steadily(what.dashboards, time), beats);
    let (latencies, answers, beats) = (latencies?, answers?, beats?);
    let took = started.elapsed().as_secs_f64();
    let part = what.part;
    for (index, answers) in answers {
        answers.add_to(report, part, &asker.questions[index]);
    }
    report.add_noted(
        part,
        format!("POST to visible row, {RATE} events/s"),
        percentile(&latencies, 0.5),
        "ms p50",
        format!("p99 {:.1} ms of {} watched (aim p99 < 50 ms)", percentile(&latencies, 0.99), latencies.len()),
    );
    let rate = beats.len() as f64 / took;
    let note = format!("p99 {:.1} ms, {rate:.0} a second", percentile(&beats, 0.99));
    report.add_noted(part, "heartbeat answered", percentile(&beats, 0.5), "ms p50", note);
    for meter in meters {
        let share = meter.spent()?.as_secs_f64() / took * 100.0;
        report.add(part, format!("processor time of {}", meter.name), share, "% of a core");
    }
    Ok(())
}

/// Who asks, as a browser does: whole answers over connections that stay open.
struct Asker {
    http: reqwest::Client,
    url: String,
    token: String,
    questions: Vec<Question>,
    sites: Vec<rollups::Site>,
}

impl Asker {
    fn new(central: &Central, rollups: &Rollups) -> anyhow::Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder()
                .tcp_nodelay(true)
                .no_proxy()
                // A thousand edges are at the first address, and central takes about as many connections from one.
                .local_address(IpAddr::from([127, 0, 0, 2]))
                // Central closes them after 60 s.
                .pool_idle_timeout(Duration::from_secs(45))
                .build()
                .context("make an HTTP client")?,
            url: central.url.clone(),
            token: central.token.clone(),
            questions: questions(rollups),
            sites: rollups.sites.clone(),
        })
    }

    /// Answers how many milliseconds after `due` the answer was whole, how long it is, or that there is none. Of all sites that go by the
    /// question's clock any may be asked about.
    fn ask(&self, question: &Question, due: Instant) -> impl Future<Output = anyhow::Result<Answer>> + use<> {
        let mut url = format!("{}/api/v1/{}", self.url, question.path);
        if let Some(clock) = question.of {
            let sites: Vec<Uuid> = self.sites.iter().filter(|s| s.clock == clock).map(|s| s.warehouse_id).collect();
            url.push_str(&format!("&warehouse_id={}", sites[rand::rng().random_range(0..sites.len())]));
        }
        let (request, name) = (self.http.get(&url).bearer_auth(&self.token), question.name);
        async move {
            let answer = request.send().await.context(name)?;
            if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                return Ok(Answer::Refused);
            }
            let bytes = answer.error_for_status().context(name)?.bytes().await.context(name)?.len();
            Ok(Answer::Whole { ms: due.elapsed().as_secs_f64() * 1_000.0, bytes })
        }
    }

    /// Asks for the fleet's page and for dashboards in turn, each at its own pace. Answers by question.
    async fn ask_steadily(&self, per_second: u32, time: Duration) -> anyhow::Result<BTreeMap<usize, Answers>> {
        let dashboards: Vec<usize> = self
            .questions
            .iter()
            .enumerate()
            .filter(|(_, q)| q.beside && q.of.is_some())
            .map(|(index, _)| index)
            .collect();
        let page = self.questions.iter().position(|q| q.beside && q.of.is_none()).context("the fleet's page")?;
        let mut asked = JoinSet::new();
        let (mut pages, mut turns) = (ticks(PAGES_PER_SEC), ticks(per_second));
        let started = Instant::now();
        let mut turn = 0;
        while started.elapsed() < time {
            let (index, due) = tokio::select! {
                due = pages.tick() => (page, due),
                due = turns.tick() => {
                    turn += 1;
                    (dashboards[turn % dashboards.len()], due)
                }
            };
            let answer = self.ask(&self.questions[index], due.into_std());
            asked.spawn(async move { anyhow::Ok((index, answer.await?)) });
        }
        let mut answers: BTreeMap<usize, Answers> = BTreeMap::new();
        while let Some(done) = asked.join_next().await {
            let (index, answer) = done.context("an asker panicked")??;
            answers.entry(index).or_default().push(answer);
        }
        Ok(answers)
    }
}

fn ticks(per_second: u32) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    ticks
}

/// How a question was answered.
enum Answer {
    Whole {
        ms: f64,
        bytes: usize,
    },
    /// Central has too much to do.
    Refused,
}

/// To one question.
#[derive(Default)]
struct Answers {
    took: Vec<f64>,
    bytes: usize,
    refused: usize,
}

impl Answers {
    fn push(&mut self, answer: Answer) {
        match answer {
            Answer::Whole { ms, bytes } => {
                self.took.push(ms);
                self.bytes = self.bytes.max(bytes);
            }
            Answer::Refused => self.refused += 1,
        }
    }

    fn add_to(mut self, report: &mut Report, part: &'static str, question: &Question) {
        self.took.sort_by(f64::total_cmp);
        let aim = question.aim_ms.map(|ms| format!(" (aim p99 < {ms} ms)")).unwrap_or_default();
        let refused = if self.refused > 0 { format!(", {} refused", self.refused) } else { String::new() };
        let note = format!(
            "p99 {:.0} ms, max {:.0} ms of {}{refused}, {} KB each{aim}",
            percentile(&self.took, 0.99),
            percentile(&self.took, 1.0),
            self.took.len(),
            self.bytes / 1_000
        );
        report.add_noted(part, question.name, percentile(&self.took, 0.5), "ms p50", note);
    }
}
