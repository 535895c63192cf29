//! `smartpick-edge dead-letters`: records that were found damaged on this box: from the running edge, or from the spill's
//! file if none runs. Their bytes are personal data, so only `show` prints them.

use anyhow::bail;
use clap::{Args, Subcommand};
use common::cli::exit::Exit;
use common::cli::table;
use serde_json::{Value, json};

use super::ConfigArgs;
use super::running::{Answer, Running, data_dir_there};
use crate::buffer::{Peek, PeekError};
use crate::config::Config;

/// As many as the edge answers with.
const SHOWN_MAX: u32 = 100;

#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    /// Show the last hundred, latest first.
    List(Which),
    /// Show one with its bytes.
    Show {
        id: i64,
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Args)]
pub struct Which {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where the edge listens [default: `listen` of the configuration].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

impl DeadLetters {
    const fn which(&self) -> &Which {
        match self {
            Self::List(which) | Self::Show { which, .. } => which,
        }
    }

    pub const fn config(&self) -> &ConfigArgs {
        &self.which().config
    }
}

/// Asks the edge, or looks into its files; returns what to say.
pub async fn run(command: &DeadLetters, config: &Config) -> anyhow::Result<String> {
    let which = command.which();
    let running = Running::new(config, which.url.as_deref(), None);
    let (from, letters) = match running.get("/api/v1/dead-letters").await? {
        Answer::Page(page) => {
            ("the running edge".to_owned(), page["dead_letters"].as_array().cloned().unwrap_or_default())
        }
        Answer::Refused(_) => bail!(Exit::NoPermission.because(format!(
            "the running edge has accounts, and shows dead letters to admins only: {}/api/v1/dead-letters after \
             signing in, or stop the edge and run this again",
            running.base()
        ))),
        Answer::Silence if which.url.is_some() => bail!(Exit::Unavailable.because(running.silence())),
        Answer::Silence => found(config)?,
    };
    match command {
        DeadLetters::List(_) if which.json => {
            let letters: Vec<Value> = letters.iter().map(without_bytes).collect();
            Ok(format!("{:#}\n", json!({"from": from, "deadLetters": letters})))
        }
        DeadLetters::List(_) if letters.is_empty() => Ok(format!("None, as {from} says.\n")),
        DeadLetters::List(_) => {
            let rows = letters.iter().map(|letter| {
                let text = |key: &str| letter[key].as_str().unwrap_or_default().to_owned();
                [letter["id"].to_string(), text("at"), (text("raw").len() / 2).to_string(), text("reason")]
            });
            Ok(format!("As {from} says:\n{}", table(["ID", "AT", "BYTES", "REASON"], rows)))
        }
        DeadLetters::Show { id, .. } => {
            let letter = letters.iter().find(|letter| letter["id"] == *id);
            let none = || Exit::NoInput.because(format!("there is no dead letter {id} among the last {SHOWN_MAX}"));
            let letter = letter.ok_or_else(none)?;
            if which.json {
                return Ok(format!("{letter:#}\n"));
            }
            let text = |key: &str| letter[key].as_str().unwrap_or_default();
            Ok(format!("id      {id}\nat      {}\nreason  {}\nraw     {}\n", text("at"), text("reason"), text("raw")))
        }
    }
}

fn without_bytes(letter: &Value) -> Value {
    json!({"id": letter["id"], "at": letter["at"], "reason": letter["reason"]})
}

fn found(config: &Config) -> anyhow::Result<(String, Vec<Value>)> {
    let dir = data_dir_there(config)?;
    let letters = match Peek::open(&dir) {
        Ok(peek) => peek.dead_letters(SHOWN_MAX)?,
        Err(PeekError::None) => Vec::new(),
        Err(error) => {
            return Err(anyhow::Error::new(error).context(format!("look into the spill in {}", dir.display())));
        }
    };
    let letters = letters.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    Ok((format!("the spill in {} (no edge runs)", dir.display()), letters))
}
