//! Credentials: made, listed and revoked where the database is.

use std::io::Write;

use anyhow::bail;
use chrono::{DateTime, Utc};
use common::cli::exit::Exit;
use common::cli::table;
use common::clock;
use common::credentials::check_name;
use common::ids::EdgeId;
use serde_json::json;
use uuid::Uuid;

use super::sites::no_edge;
use super::{Edges, Tokens, actor, listed};
use crate::config::Config;
use crate::store::{Db, enrolment, tokens};

fn time(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(|| "-".to_owned(), common::cli::time)
}

pub async fn edges(config: &Config, command: Edges, out: &mut impl Write) -> anyhow::Result<()> {
    let db = Db::open(&config.database)?;
    match command {
        Edges::Add { warehouse, edge_id, name, json } => {
            if let Some(name) = &name {
                common::site::name("name", name).map_err(|what| Exit::Usage.because(what.to_string()))?;
            }
            let edge = edge_id.unwrap_or_else(|| EdgeId::from_uuid(Uuid::new_v4()));
            let Some(token) = tokens::add_edge(&db, &actor(), edge, warehouse, name.as_deref()).await? else {
                let words =
                    format!("edge {edge} has a credential already; choose another --edge-id, or none for a random one");
                bail!(Exit::CantCreate.because(words));
            };
            if json {
                writeln!(out, "{}", json!({ "edge_id": edge, "warehouse_id": warehouse, "token": token }))?;
            } else {
                writeln!(out, "edge       {edge}\nwarehouse  {warehouse}\ntoken      {token}")?;
                writeln!(out, "Keep the token, it is not shown again.")?;
            }
        }
        Edges::List { json } => {
            let edges = tokens::list_edges(&db).await?;
            if json {
                writeln!(out, "{}", serde_json::to_string(&edges)?)?;
            } else {
                for edge in edges {
                    let state = if edge.revoked_at.is_some() { "revoked" } else { "valid" };
                    let by = match (edge.certificate_until, edge.has_token) {
                        (Some(until), _) => format!("certificate until {}", common::cli::time(until)),
                        (None, true) => "token".to_owned(),
                        (None, false) => "-".to_owned(),
                    };
                    let (name, heard) = (edge.name.unwrap_or_default(), time(edge.heartbeat_at));
                    let (edge, site) = (edge.edge_id, edge.warehouse_id);
                    writeln!(out, "{edge} {site} {state:8} heartbeat {heard:20} {by:38} {name}")?;
                }
            }
        }
        Edges::Revoke { edge_id } => {
            if !tokens::revoke_edge(&db, &actor(), edge_id, clock::now()).await? {
                if enrolment::edge_of(&db, edge_id).await?.is_none() {
                    bail!(no_edge(edge_id));
                }
                bail!("edge {edge_id} is shut out already");
            }
            writeln!(out, "Edge {edge_id} is shut out within a few seconds.")?;
        }
    }
    Ok(())
}

pub async fn tokens(config: &Config, command: Tokens, out: &mut impl Write) -> anyhow::Result<()> {
    let db = Db::open(&config.database)?;
    match command {
        Tokens::Add { name, scopes, json } => {
            check_name(&name)?;
            let Some(token) = tokens::add_token(&db, &actor(), &name, scopes.into()).await? else {
                let words = format!(
                    "there is a token called {name} already, revoked or not, or an account; choose another name"
                );
                bail!(Exit::CantCreate.because(words));
            };
            if json {
                writeln!(out, "{}", json!({ "name": name, "token": token }))?;
            } else {
                writeln!(out, "name   {name}\ntoken  {token}\nKeep the token, it is not shown again.")?;
            }
        }
        Tokens::List { json } => {
            let tokens = tokens::list_tokens(&db).await?;
            if json {
                writeln!(out, "{}", serde_json::to_string(&tokens)?)?;
            } else {
                let rows = tokens.into_iter().map(|token| {
                    let state = if token.revoked_at.is_some() { "revoked" } else { "valid" }.to_owned();
                    [
                        token.name,
                        state,
                        token.scopes.texts().join(","),
                        time(Some(token.created_at)),
                        time(token.last_used_at),
                    ]
                });
                write!(out, "{}", table(["NAME", "STATE", "SCOPES", "MADE", "LAST USED"], rows))?;
            }
        }
        Tokens::Revoke { name } => {
            if !tokens::revoke_token(&db, &actor(), &name).await? {
                let valid = tokens::list_tokens(&db).await?.into_iter().filter(|token| token.revoked_at.is_none());
                let names: Vec<String> = valid.map(|token| token.name).collect();
                let words = format!("there is no valid token called {name}; there are: {}", listed(&names));
                bail!(Exit::NoInput.because(words));
            }
            writeln!(out, "Token {name} is invalid within a few seconds.")?;
        }
    }
    Ok(())
}
