//! Credentials: made, listed and revoked where the database is.

use std::io::Write;

use anyhow::bail;
use chrono::{DateTime, SecondsFormat, Utc};
use common::ids::EdgeId;
use serde_json::json;
use uuid::Uuid;

use super::{Edges, Tokens};
use crate::config::Config;
use crate::store::{Db, tokens};

fn time(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(|| "-".to_owned(), |t| t.to_rfc3339_opts(SecondsFormat::Secs, true))
}

pub async fn edges(config: &Config, command: Edges, out: &mut impl Write) -> anyhow::Result<()> {
    let db = Db::open(&config.database)?;
    match command {
        Edges::Add { warehouse, edge_id, name, json } => {
            let edge = edge_id.unwrap_or_else(|| EdgeId::from_uuid(Uuid::new_v4()));
            let Some(token) = tokens::add_edge(&db, edge, warehouse, name.as_deref()).await? else {
                bail!("edge {edge} has a credential already; choose another --edge-id, or none for a random one");
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
                    let (name, heard) = (edge.name.unwrap_or_default(), time(edge.heartbeat_at));
                    writeln!(out, "{} {} {state:8} heartbeat {heard:20} {name}", edge.edge_id, edge.warehouse_id)?;
                }
            }
        }
        Edges::Revoke { edge_id } => {
            if !tokens::revoke_edge(&db, edge_id).await? {
                bail!("edge {edge_id} has no valid credential");
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
            let Some(token) = tokens::add_token(&db, &name, scopes.into()).await? else {
                bail!("there is a token {name:?} already; choose another name");
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
                for token in tokens {
                    let state = if token.revoked_at.is_some() { "revoked" } else { "valid" };
                    writeln!(out, "{state:8} made {:20} {}", time(Some(token.created_at)), token.name)?;
                }
            }
        }
        Tokens::Revoke { name } => {
            if !tokens::revoke_token(&db, &name).await? {
                bail!("there is no valid token {name:?}");
            }
            writeln!(out, "Token {name:?} is invalid within a few seconds.")?;
        }
    }
    Ok(())
}
