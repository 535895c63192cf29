//! `support-bundle`: see [`common::cli::bundle`] for what stays out of it.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use common::cli::bundle::{Bundle, url_passwords};
use common::cli::exit::Exit;
use common::cli::progress;
use common::clock;
use common::config::{ConfigError, Loaded, shown};

use super::running::Running;
use super::{NAME, doctor};
use crate::config::{Config, SCHEMA};

const UNIT: &str = "smartpick-central.service";

#[derive(ClapArgs)]
pub struct Args {
    /// The file to make [default: smartpick-central-TIME.tar.gz here]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Makes it, and says what is in it.
pub async fn make(
    loaded: Result<Loaded<Config>, ConfigError>,
    file: &Path,
    args: &Args,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let bar = progress::bar(6);
    let step = |what: &'static str| {
        bar.set_message(what);
        bar.inc(1);
    };
    let now = clock::now();
    let top = format!("{NAME}-{}", now.format("%Y%m%dT%H%M%SZ"));
    let config = loaded.as_ref().map(|loaded| loaded.config.clone()).ok();
    let urls = config.iter().flat_map(|config| [&config.database.url, &config.redis.url]);
    let mut bundle = Bundle::new(urls.flat_map(|url| url_passwords(url)));
    step("version and configuration");
    bundle.add("version.txt", &format!("{NAME} {}\nmade {now}\n", env!("CARGO_PKG_VERSION")));
    match &loaded {
        Ok(loaded) => bundle.add("config.toml", &shown(&loaded.config, &SCHEMA, Some(&loaded.origins))),
        Err(error) => bundle.add("config-error.txt", &error.to_string()),
    }
    if let Some(config) = &config {
        step("health and figures");
        let running = Running::new(config);
        for (name, path) in [("health.json", "/streams/health"), ("stats.json", "/streams/stats")] {
            match running.get(path).await {
                Ok(Some(page)) => bundle.add(name, &format!("{page:#}\n")),
                Ok(None) => bundle.add(name, "no central answers\n"),
                Err(error) => bundle.add(name, &format!("{error:#}\n")),
            }
        }
        let metrics = running.text("/metrics").await.unwrap_or_else(|error| format!("{error:#}\n"));
        bundle.add("metrics.txt", &metrics);
    }
    step("doctor");
    let report = doctor::examine(loaded, file).await;
    bundle.add("doctor.json", &format!("{:#}\n", report.json()));
    step("system and journal");
    bundle.system(UNIT);
    step("writing");
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{top}.tar.gz")));
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let made = made.with_context(|| Exit::CantCreate.because(format!("make {}", path.display())))?;
    bundle.write(&top, now.timestamp().cast_unsigned(), made)?;
    bar.finish_and_clear();
    writeln!(out, "{} holds:\n{}{}", path.display(), bundle.listed(), Bundle::PROMISE)?;
    Ok(())
}
