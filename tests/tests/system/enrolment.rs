//! Edges that come in by certificates, from the join token on: both binaries, over TLS, through a wire that can be cut.

use std::process::Command;

use anyhow::{Context as _, ensure};
use common::join::JoinToken;
use common::tls::Fingerprint;
use sqlx::postgres::PgPool;
use tests::link::Wire;
use tests::process::our_binary;
use tests::stack::{Options, Stack};
use tests::{checker, ports, wait};
use uuid::Uuid;

use crate::{flow, options, under_load};

/// Certificates hold for so long here: renewed after two thirds, and soon over.
const SECONDS: u64 = 9;

fn enrolled() -> Options {
    Options { linked: true, certificate_seconds: Some(SECONDS), ..options() }
}

async fn count(stack: &Stack, sql: &'static str) -> anyhow::Result<i64> {
    let pool = PgPool::connect(&stack.database_url).await?;
    let count = sqlx::query_scalar(sql).fetch_one(&pool).await?;
    pool.close().await;
    Ok(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolled_edge_delivers_and_renews_its_certificate_meanwhile() -> anyhow::Result<()> {
    const USED: &str =
        "SELECT count(*) FROM edge_certificates WHERE issued_for = 'renewal' AND first_used_at IS NOT NULL";
    under_load(enrolled(), async |stack| {
        wait::until("two renewals that were put into use", wait::DRAIN, || async {
            ensure!(count(stack, USED).await? >= 2);
            Ok(Some(()))
        })
        .await?;
        let copies = count(stack, "SELECT count(*) FROM edges WHERE copy_seen_at IS NOT NULL").await?;
        ensure!(copies == 0, "it was taken for a copy of itself");
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_was_away_for_longer_than_its_certificate_comes_back_by_itself() -> anyhow::Result<()> {
    under_load(enrolled(), async |stack| {
        stack.links[0].set(Wire::Cut);
        flow(stack).await?;
        wait::until("the certificate to end", wait::DRAIN, || async {
            ensure!(count(stack, "SELECT count(*) FROM edge_certificates WHERE not_after > now()").await? == 0);
            Ok(Some(()))
        })
        .await?;
        flow(stack).await?;
        stack.links[0].heal();
        const BACK: &str =
            "SELECT count(*) FROM edge_certificates WHERE issued_for = 'return' AND first_used_at IS NOT NULL";
        wait::until("the edge to be back", wait::DRAIN, || async {
            ensure!(count(stack, BACK).await? >= 1);
            Ok(Some(()))
        })
        .await?;
        ensure!(count(stack, "SELECT count(*) FROM audit_log WHERE action = 'edge_returned'").await? >= 1);
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_is_shut_out_keeps_its_events_says_why_and_delivers_once_it_is_let_in_again() -> anyhow::Result<()>
{
    let stack = Stack::start(Options { certificate_seconds: Some(3_600), ..enrolled() }).await?;
    stack
        .explain(async {
            let edge = &stack.edges[0];
            let load = stack.camera(0)?.load(200, 20);
            flow(&stack).await?;
            stack.setup.command(&["edges", "revoke", &edge.edge_id.to_string()]).await?;
            wait::until("the edge to say that it is shut out", wait::DRAIN, || async {
                let health = edge.health().await?;
                ensure!(health["reasons"].to_string().contains("headquarters has shut this edge out"), "{health}");
                Ok(Some(()))
            })
            .await?;
            flow(&stack).await?;
            load.stop().await?;
            let stats = edge.stats().await?;
            ensure!(stats.buffered.live + stats.buffered.backlog >= 300, "{stats:?}");
            let url = stack.links[0].url.replace("http://", "https://");
            let token = stack.setup.join_token(edge.warehouse_id, &url, Some(edge.edge_id)).await?;
            edge.enroll_again(&stack.dir, &token).await?;
            // It takes that up while it runs.
            checker::check(&stack).await
        })
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_central_whose_certificate_was_given_to_it_is_believed_by_the_authority_that_the_token_names()
-> anyhow::Result<()> {
    const USED: &str =
        "SELECT count(*) FROM edge_certificates WHERE issued_for = 'renewal' AND first_used_at IS NOT NULL";
    under_load(Options { given_certificate: true, ..enrolled() }, async |stack| {
        let ours = std::fs::read_to_string(stack.dir.path().join("given/ca.crt"))?;
        let identity = std::fs::read_to_string(stack.edges[0].data_dir.join("identity.json"))?;
        let identity: serde_json::Value = serde_json::from_str(&identity)?;
        ensure!(identity["authorities"].to_string().contains(ours.lines().nth(1).context("a line")?), "{identity}");
        ensure!(identity["public_authorities"] == false, "{identity}");
        wait::until("a renewal that was put into use", wait::DRAIN, || async {
            ensure!(count(stack, USED).await? >= 1);
            Ok(Some(()))
        })
        .await
    })
    .await?;
    Ok(())
}

/// What `smartpick-edge enroll` complains about on a new box, and how it ends.
fn complaint(stack: &Stack, token: &str) -> anyhow::Result<(String, i32)> {
    let dir = stack.dir.path().join(format!("box-{}", Uuid::new_v4()));
    std::fs::create_dir(&dir)?;
    let file = dir.join("edge.toml");
    std::fs::write(&file, format!("data_dir = \"{}\"\n", dir.join("data").display()))?;
    let mut command = Command::new(our_binary("smartpick-edge")?);
    let output = command.arg("enroll").arg("--config").arg(&file).arg(token).output()?;
    ensure!(!output.status.success(), "it joined");
    ensure!(!dir.join("data/identity.json").exists(), "it has an identity all the same");
    let code = output.status.code().context("it ends by itself")?;
    Ok((String::from_utf8_lossy(&output.stderr).into_owned(), code))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_join_is_told_why_and_what_to_do() -> anyhow::Result<()> {
    let stack = Stack::start(Options { certificate_seconds: Some(3_600), ..options() }).await?;
    stack
        .explain(Box::pin(async {
            let url = stack.centrals[0].url.clone();
            let site = stack.edges[0].warehouse_id;
            let again = "smartpick-central sites token";
            let new = async || stack.setup.join_token(site, &url, None).await;
            let says = |token: &str, code: i32, parts: &[&str]| {
                let (said, ended) = complaint(&stack, token)?;
                ensure!(ended == code, "ended with {ended}, not {code}: {said}");
                for part in parts {
                    ensure!(said.contains(part), "{part:?} is not in: {said}");
                }
                ensure!(said.lines().count() == 1, "one line: {said}");
                anyhow::Ok(())
            };
            let pool = PgPool::connect(&stack.database_url).await?;
            // The edge of this stack has joined with the token that is there.
            let used = new().await?;
            sqlx::query("UPDATE join_tokens SET used_at = now(), key_sha256 = sha256('another box')")
                .execute(&pool)
                .await?;
            says(&used, 77, &["another box used the join token at ", "it is good for one", again])?;
            let expired = new().await?;
            sqlx::query("UPDATE join_tokens SET expires_at = now() - interval '1 minute' WHERE used_at IS NULL")
                .execute(&pool)
                .await?;
            pool.close().await;
            says(&expired, 77, &["the join token ended at ", "and it is ", again])?;
            let pin = new().await?.parse::<JoinToken>()?.pin;
            says(&JoinToken::new(&url, pin).to_string(), 77, &["no such join token was made here", again])?;
            let other = JoinToken::new(&url, Some(Fingerprint([7; 32])));
            let parts = ["is not the headquarters that the token is of", "not to a proxy", "make a new token", &url];
            says(&other.to_string(), 69, &parts)?;
            let public = JoinToken::new(&url, None);
            says(&public.to_string(), 69, &[&url, "cannot be reached", "UnknownIssuer"])?;
            let closed = format!("https://127.0.0.1:{}", ports::free()?);
            says(
                &JoinToken::new(&closed, pin).to_string(),
                69,
                &[&closed, "cannot be reached", "give another with --url"],
            )?;
            let whole = new().await?;
            says(&whole[..whole.len() - 3], 64, &["not whole or was mistyped"])?;
            // The token would be anybody's on the way.
            let plain = JoinToken::new(&url.replace("https://", "http://"), pin);
            says(&plain.to_string(), 64, &["is not https://", "the token is not sent"])?;
            says("hello", 64, &["a join token begins with spj_", again])
        }))
        .await
}
