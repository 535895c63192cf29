//! `smartpick-central sites`: sites, and the tokens by which boxes join them. `smartpick-central ca`: the authority behind their
//! certificates.

use std::io::Write;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use common::cli::exit::{Because, Exit};
use common::cli::{table, time};
use common::clock;
use common::config::ConfigError;
use common::ids::{EdgeId, WarehouseId};
use common::join::{JoinToken, check_address};
use common::tls::Mode;
use common::tls::authority::Authority;
use serde_json::json;
use uuid::Uuid;

use super::{actor, some_warehouse};
use crate::config::Config;
use crate::enrolment;
use crate::store::enrolment as store;
use crate::store::sites::{Removed, remove};
use crate::store::{Db, certificates};

#[derive(Subcommand)]
pub enum Sites {
    /// Make a site, if there is none of this name, and a token by which one box joins it within the hour
    Add {
        /// What people call it
        name: String,
        /// Random if not given
        #[arg(long, value_name = "UUID", value_parser = some_warehouse)]
        warehouse: Option<WarehouseId>,
        #[command(flatten)]
        token: TokenArgs,
    },
    /// List sites
    List {
        #[arg(long)]
        json: bool,
    },
    /// Remove a site that was made by mistake: one that has no edge and that nothing ever came from
    Remove {
        /// The site's name or id
        site: String,
    },
    /// Make a token by which another box joins a site, or with --edge one that is an edge already
    Token {
        /// The site's name or id
        site: String,
        /// Enrol this edge anew, on the same box or another: it keeps its id and its ledger, all its other credentials end
        #[arg(long, value_name = "UUID")]
        edge: Option<EdgeId>,
        #[command(flatten)]
        token: TokenArgs,
    },
}

#[derive(clap::Args)]
pub struct TokenArgs {
    /// How the box reaches central [default: `tls.url`]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// One line of JSON: warehouse_id, name, token, expires_at
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
pub enum Ca {
    /// Show its certificate and fingerprint
    Show,
    /// Make a new one, for when the key is lost: every edge has to be enrolled again
    New,
}

pub async fn run(config: &Config, command: Sites, out: &mut impl Write) -> anyhow::Result<()> {
    let db = Db::open(&config.database)?;
    match command {
        Sites::Add { name, warehouse, token } => add(config, &db, &name, warehouse, &token, out).await,
        Sites::List { json } => {
            let sites = store::list_sites(&db).await?;
            if json {
                writeln!(out, "{}", serde_json::to_string(&sites)?)?;
                return Ok(());
            }
            let rows = sites.into_iter().map(|site| {
                let heard = site.heartbeat_at.map_or_else(|| "never".to_owned(), time);
                [site.warehouse_id.to_string(), site.edges.to_string(), heard, site.name.unwrap_or_default()]
            });
            write!(out, "{}", table(["SITE", "EDGES", "LAST HEARTBEAT", "NAME"], rows))?;
            Ok(())
        }
        Sites::Remove { site } => {
            let (warehouse, name) = find(&db, &site).await?;
            match remove(&db, &actor(), warehouse).await? {
                Removed::Done | Removed::NoSite => {
                    writeln!(out, "Removed site {warehouse}  {}", name.unwrap_or_default())?;
                    Ok(())
                }
                Removed::HasEdges(1) => {
                    bail!("site {warehouse} has an edge; `smartpick-central edges revoke` it first")
                }
                Removed::HasEdges(n) => {
                    bail!("site {warehouse} has {n} edges; `smartpick-central edges revoke` them first")
                }
                Removed::HasData => bail!("site {warehouse} has sent data, so it stays"),
            }
        }
        Sites::Token { site, edge, token } => {
            let (warehouse, name) = find(&db, &site).await?;
            if let Some(edge) = edge {
                match store::edge_of(&db, edge).await? {
                    Some(its) if its == warehouse => {}
                    Some(its) => bail!("edge {edge} is of site {its}, not of {warehouse}"),
                    None => bail!(no_edge(edge)),
                }
            }
            let new = new_token(config, &db, &token).await?;
            give_token(&db, (warehouse, name.as_deref()), edge, new, token.json, out).await
        }
    }
}

async fn add(
    config: &Config,
    db: &Db,
    name: &str,
    warehouse: Option<WarehouseId>,
    token: &TokenArgs,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let name = name.trim();
    common::site::name("NAME", name).map_err(|what| Exit::Usage.because(what.to_string()))?;
    // Before anything is changed.
    let new = new_token(config, db, token).await?;
    let same = store::list_sites(db).await?.into_iter().find(|site| site.name.as_deref() == Some(name));
    let id = match (same, warehouse) {
        (Some(same), Some(wanted)) if same.warehouse_id != wanted.uuid() => {
            let words = format!("there is a site called {name} already, {}; choose another name", same.warehouse_id);
            bail!(Exit::CantCreate.because(words));
        }
        (Some(same), _) => WarehouseId::from_uuid(same.warehouse_id),
        (None, wanted) => {
            let id = wanted.unwrap_or_else(|| WarehouseId::from_uuid(Uuid::new_v4()));
            if !store::add_site(db, &actor(), id, name).await? {
                let words = format!(
                    "there is a site {id} already, under another name; its settings at headquarters change that"
                );
                bail!(Exit::CantCreate.because(words));
            }
            id
        }
    };
    give_token(db, (id, Some(name)), None, new, token.json, out).await
}

/// By name or id.
pub(super) async fn find(db: &Db, site: &str) -> anyhow::Result<(WarehouseId, Option<String>)> {
    let sites = store::list_sites(db).await?;
    let id = site.parse::<Uuid>().ok();
    let mut found = sites.into_iter().filter(|s| Some(s.warehouse_id) == id || s.name.as_deref() == Some(site));
    let Some(one) = found.next() else {
        let words = format!("there is no site {site}; `smartpick-central sites list` lists them");
        bail!(Exit::NoInput.because(words));
    };
    if found.next().is_some() {
        bail!("there are several sites called {site}; give the id");
    }
    Ok((WarehouseId::from_uuid(one.warehouse_id), one.name))
}

/// The site that a command is limited to, if it is to one.
pub(super) async fn only(db: &Db, site: Option<&str>) -> anyhow::Result<Option<Uuid>> {
    match site {
        Some(site) => Ok(Some(find(db, site).await?.0.uuid())),
        None => Ok(None),
    }
}

pub(super) fn no_edge(edge: EdgeId) -> Because {
    Exit::NoInput.because(format!("there is no edge {edge}; `smartpick-central edges list` lists them"))
}

/// A token that nobody knows of yet, and the address that is in it.
async fn new_token(config: &Config, db: &Db, args: &TokenArgs) -> anyhow::Result<(String, JoinToken)> {
    if config.tls.mode == Mode::Off {
        let problem = "boxes cannot join by certificates while it is \"off\"; set it to \"own\" or \"files\", or, behind a \
                       proxy that ends TLS, run `smartpick-central edges add --warehouse UUID`";
        bail!(ConfigError::of("tls.mode", problem));
    }
    let pin = enrolment::pin(config, db).await?;
    let url = args.url.as_deref().map_or_else(|| enrolment::url(config), |url| url.trim_end_matches('/').to_owned());
    if !url.starts_with("https://") {
        let words = "--url must begin with https://, for example https://smartpick.example.com:8090";
        bail!(Exit::Usage.because(words));
    }
    check_address(&url).map_err(|problem| Exit::Usage.because(format!("--url {problem}")))?;
    let token = JoinToken::new(&url, pin);
    Ok((url, token))
}

async fn give_token(
    db: &Db,
    (warehouse, name): (WarehouseId, Option<&str>),
    edge: Option<EdgeId>,
    (url, token): (String, JoinToken),
    json: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let expires_at = store::add_token(db, &actor(), &token.hash(), warehouse, edge, clock::now()).await?;
    if json {
        let token = token.to_string();
        let said = json!({ "warehouse_id": warehouse, "name": name, "token": token, "expires_at": expires_at });
        writeln!(out, "{said}")?;
        return Ok(());
    }
    writeln!(out, "site   {warehouse}  {}", name.unwrap_or_default())?;
    writeln!(out, "url    {url}")?;
    writeln!(out, "token  {token}")?;
    let replace = if edge.is_some() { " --replace" } else { "" };
    writeln!(out, "On the box, before {}: sudo smartpick-edge enroll TOKEN{replace}", time(expires_at))?;
    writeln!(out, "The token is good for one box, and not shown again.")?;
    Ok(())
}

pub async fn ca(config: &Config, command: Ca, out: &mut impl Write) -> anyhow::Result<()> {
    let db = Db::open(&config.database)?;
    match command {
        Ca::Show => {
            let known = certificates::authorities(&db).await?;
            let (fingerprint, pem) =
                known.first().context("there is no authority yet; start central with [tls] mode = \"own\"")?;
            writeln!(out, "SHA-256 {fingerprint}\n{}", pem.trim_end())?;
        }
        Ca::New => {
            let dir = config.tls.ca_dir()?;
            let shown = dir.display();
            if Authority::open(&dir)?.is_some() {
                let words = format!(
                    "there is an authority in {shown}; move ca.key and ca.crt away first if it is to be replaced"
                );
                bail!(Exit::CantCreate.because(words));
            }
            let now = clock::now();
            let authority = Authority::make(&dir, "SmartPick headquarters", now)?;
            certificates::add_authority(&db, authority.fingerprint(), authority.pem(), now).await?;
            writeln!(out, "SHA-256 {}, in {shown}", authority.fingerprint())?;
            writeln!(
                out,
                "Restart central, then enrol every edge again: `smartpick-central sites token SITE --edge EDGE`."
            )?;
        }
    }
    Ok(())
}
