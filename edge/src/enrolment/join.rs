//! A box joins a site: a key made here, a request signed with it, and central's answer. Whatever breaks off in between, the same
//! command with the same token goes on where it was: the key is on the disk before it is used.

use std::path::Path;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use common::cli::exit::Exit;
use common::credentials::hex;
use common::join::{Enrol, JoinToken, check_address};
use common::tls::request::{CertificateRequest, new_key};
use serde::{Deserialize, Serialize};

use super::{Enrolled, JOINING, NEXT, load, remove, store, take_on};
use crate::central_client::{JoinError, Stranger};
use crate::config::Config;

/// An enrolment on its way.
#[derive(Serialize, Deserialize)]
struct Joining {
    /// Hash of the token's secret: another token is another enrolment.
    token: String,
    key: String,
}

/// What became of it.
pub struct Joined {
    pub enrolled: Enrolled,
    /// Who the box was before.
    pub before: Option<Enrolled>,
}

/// Joins, and puts the identity into use for the next start.
///
/// # Errors
/// Why not, and what to do.
pub async fn join(
    dir: &Path,
    config: &Config,
    token: &JoinToken,
    url: Option<&str>,
    replace: bool,
) -> anyhow::Result<Joined> {
    let before = Enrolled::load(dir)?;
    let path = dir.join(JOINING);
    let hash = hex(&token.hash());
    let begun: Option<Joining> = load::<Joining>(&path)?.filter(|joining| joining.token == hash);
    if let Some(before) = &before
        && begun.is_none()
        && !replace
    {
        bail!(Exit::CantCreate.because(format!(
            "this box has joined already, as edge {} of warehouse {}; give it another identity with --replace",
            before.edge_id, before.warehouse_id
        )));
    }
    let joining = match begun {
        Some(joining) => joining,
        None => {
            let joining = Joining { token: hash, key: new_key()? };
            store(&path, &joining)?;
            joining
        }
    };
    let url = url.unwrap_or(&token.url).trim_end_matches('/');
    // Without TLS nothing says who is there, and the token would be anybody's on the way.
    if !url.starts_with("https://") {
        bail!(Exit::Usage.because(format!(
            "{url} is not https://, so nothing proves that headquarters is there and the token is not sent; give --url https://…"
        )));
    }
    check_address(url).map_err(|problem| Exit::Usage.because(format!("the address {problem}")))?;
    let enrol = Enrol {
        token: token.secret(),
        request: CertificateRequest::new(&joining.key)?,
        name: Some(gethostname::gethostname().to_string_lossy().into_owned()),
    };
    let admission = Stranger::joining(token, url)?.enrol(&enrol).await.map_err(ending)?;
    let enrolled = Enrolled::new(admission, url, joining.key);
    // The token is used by now, but the same command with it goes on from here once this is mended.
    take_on(&mut config.clone(), Some(&enrolled)).context("mend this, then run the same command again")?;
    remove(&dir.join(NEXT))?;
    enrolled.store(dir)?;
    remove(&path)?;
    Ok(Joined { enrolled, before })
}

/// How a command ends that could not join.
fn ending(error: JoinError) -> anyhow::Error {
    let exit = match &error {
        // Whoever is there, it is not headquarters.
        JoinError::Link { .. } | JoinError::Mismatch { .. } => Exit::Unavailable,
        JoinError::Later(_) | JoinError::Clock { .. } => Exit::TempFail,
        JoinError::Refused(_) => Exit::NoPermission,
        JoinError::Setup(_) => return error.into(),
    };
    exit.because(error.to_string()).into()
}

/// For people: how long it holds.
pub fn until(enrolled: &Enrolled, now: DateTime<Utc>) -> String {
    format!("{} ({} days)", common::cli::time(enrolled.not_after), (enrolled.not_after - now).num_days())
}
