//! The way to headquarters, step by step, so that the first step that fails is the one to mend: name, connection, TLS,
//! central itself, our credential, its clock beside ours.

use std::time::Duration;

use chrono::TimeDelta;
use common::cli::doctor::{Check, Report};
use common::clock;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::central_client::{CentralClient, Knock, SendError};
use crate::config::Config;
use crate::enrolment::Enrolled;

const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// As health has it: beyond it events get into the wrong minute.
const CLOCK_OFFSET_MAX: TimeDelta = TimeDelta::seconds(30);

/// Goes the way until a step fails.
pub async fn examine(config: &Config, report: &mut Report) {
    let enrolled = config.data_dir().ok().and_then(|dir| Enrolled::load(&dir).ok().flatten());
    let Some(url) = config.central.url.as_ref().or(enrolled.as_ref().map(|enrolled| &enrolled.url)) else {
        report.add(Check::warning(
            "central",
            "none is configured; events stay in this box's buffer",
            "`smartpick-central sites add NAME` at headquarters prints a token for `smartpick-edge enroll TOKEN`",
        ));
        return;
    };
    let Some((host, port)) = host_and_port(url) else {
        report.add(Check::failure("central", format!("central.url {url} has no host"), "https://HOST"));
        return;
    };
    let found = timeout(STEP_TIMEOUT, lookup_host((host.as_str(), port))).await;
    let addresses: Vec<_> = match found {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return report.add(no_name(&host, &error.to_string())),
        Err(_) => return report.add(no_name(&host, "no answer within 5 s")),
    };
    let Some(address) = addresses.first() else { return report.add(no_name(&host, "it has no address")) };
    report.add(Check::ok("dns", format!("{host} is {}", address.ip())));
    let reached = match timeout(STEP_TIMEOUT, TcpStream::connect(addresses.as_slice())).await {
        Ok(reached) => reached.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err("no answer within 5 s".to_owned()),
    };
    if let Err(why) = reached {
        report.add(Check::failure(
            "central",
            format!("{host} port {port} cannot be reached: {why}"),
            "look at the router and the firewall; events are kept here meanwhile",
        ));
        return;
    }
    let client = match (&enrolled, &config.central.token) {
        (Some(enrolled), _) => CentralClient::enrolled(url, enrolled),
        (None, Some(token)) => CentralClient::new(url, token),
        (None, None) => {
            return report.add(Check::skipped("credential", "whether this box has joined can only be seen with sudo"));
        }
    };
    let knock = match client {
        Ok(client) => client.knock().await.map_err(|error| match error {
            SendError::Link(why) => why,
            other => other.to_string(),
        }),
        Err(error) => Err(format!("{error:#}")),
    };
    for check in judge(url.starts_with("https://"), knock) {
        report.add(check);
    }
}

/// What the knock says of TLS, central, credential and clock.
fn judge(encrypted: bool, knock: Result<Knock, String>) -> Vec<Check> {
    let mut checks = Vec::new();
    let knock = match knock {
        Err(why) if encrypted && (why.contains("certificate") || why.contains("tls") || why.contains("TLS")) => {
            checks.push(Check::failure(
                "tls",
                format!("central's certificate is not accepted: {why}"),
                "is this box's clock right? Else headquarters has to renew it, or the name in central.url is not the \
                 one in the certificate",
            ));
            return checks;
        }
        Err(why) => {
            let mend = "see the log of central, and of a proxy before it";
            checks.push(Check::failure("central", format!("does not answer: {why}"), mend));
            return checks;
        }
        Ok(knock) => knock,
    };
    checks.push(if encrypted {
        Check::ok("tls", "central's certificate is accepted")
    } else {
        Check::warning("tls", "central.url is http://: everybody on the way can read and change it", "use https://")
    });
    checks.extend(central_and_credential(&knock));
    if let Some(date) = knock.date {
        let offset = clock::now() - date;
        checks.push(if offset.abs() > CLOCK_OFFSET_MAX {
            let side = if offset > TimeDelta::zero() { "ahead of" } else { "behind" };
            Check::failure(
                "clock offset",
                format!("this box's clock is {} s {side} headquarters'", offset.num_seconds().abs()),
                "let both ask an NTP server; `timedatectl` shows this one's",
            )
        } else {
            Check::ok("clock offset", format!("{} s beside headquarters'", offset.num_seconds().abs()))
        });
    }
    checks
}

fn central_and_credential(knock: &Knock) -> Vec<Check> {
    let reached = || Check::ok("central", "answers");
    match (knock.status, knock.code.as_str()) {
        // It has looked at the credential before it missed the rest.
        (400, "header_missing") => {
            vec![reached(), Check::ok("credential", "central accepts it")]
        }
        (401 | 403, code) if !code.is_empty() => vec![
            reached(),
            Check::failure(
                "credential",
                "central does not accept it",
                "`smartpick-central edges list` at headquarters shows whether it was revoked; `smartpick-central sites token SITE \
                 --edge EDGE` there and `smartpick-edge enroll TOKEN --replace` here let it in again as the same edge (behind a proxy: \
                 `edges add`)",
            ),
        ],
        (status @ (502..=504 | 500 | 429), _) => vec![Check::failure(
            "central",
            format!("answers {status}: it, or what is before it, is not well"),
            "`smartpick-central doctor` at headquarters",
        )],
        (status, _) => vec![Check::failure(
            "central",
            format!("what answers there ({status}) is not central"),
            "central.url must lead to central itself, with no sign-in page or path before it",
        )],
    }
}

fn no_name(host: &str, why: &str) -> Check {
    Check::failure(
        "dns",
        format!("the address of {host} is not found: {why}"),
        "`resolvectl query` asks the same; is the name in central.url right, and a name server in the network's settings?",
    )
}

fn host_and_port(url: &str) -> Option<(String, u16)> {
    let url = reqwest::Url::parse(url).ok()?;
    Some((url.host_str()?.trim_matches(['[', ']']).to_owned(), url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use common::cli::style::Mark;

    use super::*;

    fn marks(encrypted: bool, knock: Result<Knock, String>) -> Vec<(&'static str, Mark)> {
        judge(encrypted, knock).into_iter().map(|check| (check.name, check.mark)).collect()
    }

    fn knock(status: u16, code: &str, behind_secs: i64) -> Result<Knock, String> {
        let date = Some(clock::now() + TimeDelta::seconds(behind_secs));
        Ok(Knock { status, code: code.to_owned(), date })
    }

    #[test]
    fn the_first_step_that_fails_is_the_one_named() {
        let bad = |why: &str| Err(why.to_owned());
        assert_eq!(marks(true, bad("invalid peer certificate: Expired")), [("tls", Mark::Failure)]);
        assert_eq!(marks(true, bad("connection reset")), [("central", Mark::Failure)]);
        let well = marks(true, knock(400, "header_missing", 0));
        assert!(well.len() == 4 && well.iter().all(|(_, mark)| *mark == Mark::Ok), "{well:?}");
        assert!(marks(false, knock(400, "header_missing", 0)).contains(&("tls", Mark::Warning)));
        assert!(marks(true, knock(401, "unauthorized", 0)).contains(&("credential", Mark::Failure)));
        assert!(marks(true, knock(503, "", 0)).contains(&("central", Mark::Failure)));
        assert!(marks(true, knock(200, "", 0)).contains(&("central", Mark::Failure)), "somebody's start page");
        assert!(marks(true, knock(400, "header_missing", 90)).contains(&("clock offset", Mark::Failure)));
    }

    #[test]
    fn the_place_is_taken_from_the_url() {
        assert_eq!(host_and_port("https://hq.example.com/x"), Some(("hq.example.com".to_owned(), 443)));
        assert_eq!(host_and_port("http://[::1]:8090"), Some(("::1".to_owned(), 8090)));
    }
}
