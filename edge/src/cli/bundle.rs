//! `smartpick-edge support-bundle`: see [`common::cli::bundle`] for what stays out of it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use common::cli::bundle::{Bundle, url_passwords};
use common::cli::exit::Exit;
use common::cli::progress;
use common::clock;
use common::config::shown;

use super::running::{Answer, Running};
use super::{ConfigArgs, NAME, doctor, load};
use crate::config::{Config, SCHEMA};

const UNIT: &str = "smartpick-edge.service";

#[derive(Debug, Args)]
pub struct BundleArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The file to make [default: smartpick-edge-TIME.tar.gz here].
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Makes it, and says what is in it.
pub async fn make(args: &BundleArgs) -> anyhow::Result<String> {
    let bar = progress::bar(6);
    let step = |what: &'static str| {
        bar.set_message(what);
        bar.inc(1);
    };
    let now = clock::now();
    let top = format!("{NAME}-{}", now.format("%Y%m%dT%H%M%SZ"));
    let loaded = load(&args.config);
    let config = loaded.as_ref().map(|loaded| loaded.config.clone()).ok();
    let mut bundle = Bundle::new(config.iter().flat_map(secrets));
    step("version and configuration");
    bundle.add("version.txt", &format!("{NAME} {}\nmade {now}\n", env!("CARGO_PKG_VERSION")));
    match &loaded {
        Ok(loaded) => bundle.add("config.toml", &shown(&loaded.config, &SCHEMA, Some(&loaded.origins))),
        Err(error) => bundle.add("config-error.txt", &error.to_string()),
    }
    if let Some(config) = &config {
        step("health and figures");
        pages(config, &mut bundle).await;
    }
    step("doctor");
    let report = doctor::examine(loaded).await;
    bundle.add("doctor.json", &format!("{:#}\n", report.json()));
    step("system and journal");
    bundle.system(UNIT);
    step("writing");
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{top}.tar.gz")));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let file = file.with_context(|| Exit::CantCreate.because(format!("make {}", path.display())))?;
    bundle.write(&top, now.timestamp().cast_unsigned(), file)?;
    bar.finish_and_clear();
    Ok(format!("{} holds:\n{}{}", path.display(), bundle.listed(), Bundle::PROMISE))
}

async fn pages(config: &Config, bundle: &mut Bundle) {
    let running = Running::new(config, None, None);
    for (name, path) in [("health.json", "/streams/health"), ("stats.json", "/streams/stats")] {
        match running.get(path).await {
            Ok(Answer::Page(page)) => bundle.add(name, &format!("{page:#}\n")),
            Ok(Answer::Refused(why)) => bundle.add(name, &why),
            Ok(Answer::Silence) => bundle.add(name, &running.silence()),
            Err(error) => bundle.add(name, &format!("{error:#}")),
        }
    }
    let metrics = running.text("/metrics").await.unwrap_or_else(|error| format!("{error:#}\n"));
    bundle.add("metrics.txt", &metrics);
}

fn secrets(config: &Config) -> Vec<String> {
    let tokens = [&config.camera_token, &config.central.token].into_iter().flatten().cloned();
    tokens.chain(config.redis.url.iter().flat_map(|url| url_passwords(url))).collect()
}
