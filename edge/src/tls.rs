//! HTTPS on the edge's own port: for the page on phones and tablets, and for cameras. The certificate is of an authority that is
//! made on this box, which people add to their devices once, or out of files that somebody else renews.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::problem::Problem;
use common::tls::Mode;
use common::tls::authority::Authority;
use common::tls::server::{Files, ServerTls, Source};

use crate::config::Config;
use crate::http::State;

/// Below the data directory: this box's own authority.
pub const DIR: &str = "tls";

/// What the server speaks; neither for plain HTTP.
#[derive(Default)]
pub struct Https {
    pub server: Option<Arc<ServerTls>>,
    /// Which people may want to add to their devices. None if the certificate is out of files.
    pub authority: Option<Arc<Authority>>,
}

/// HTTPS as `[tls]` says.
///
/// # Errors
/// If a file cannot be used, or a name is none.
pub fn server(config: &Config, dir: &Path, now: DateTime<Utc>) -> anyhow::Result<Https> {
    let (source, authority) = match config.tls.mode {
        Mode::Off => return Ok(Https::default()),
        Mode::Own => {
            let authority = Arc::new(authority(dir, now)?);
            (Source::Own { authority: Arc::clone(&authority), names: names(config) }, Some(authority))
        }
        Mode::Files => {
            let (certificate, key) = ((&config.tls.certificate).into(), (&config.tls.key).into());
            (Source::Files(Files { certificate, key, authority: None }), None)
        }
    };
    let server = ServerTls::new(source, None, now).context("set up HTTPS as [tls] says")?;
    Ok(Https { server: Some(Arc::new(server)), authority })
}

/// This box's own, made when it is first asked for. Its name tells it from other boxes' on a phone that knows several.
///
/// # Errors
/// If its files cannot be used.
pub fn authority(dir: &Path, now: DateTime<Utc>) -> anyhow::Result<Authority> {
    let name = format!("SmartPick edge {}", gethostname::gethostname().to_string_lossy());
    Authority::open_or_make(&dir.join(DIR), &name, now).context("use this box's own authority")
}

/// Under which names people reach the box, as far as it can know.
pub fn names(config: &Config) -> Vec<String> {
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let mut names = config.tls.names.clone();
    if !host.is_empty() && !host.contains('.') {
        // As phones find it where no DNS knows it.
        names.extend([host.clone(), format!("{host}.local")]);
    } else if !host.is_empty() {
        names.push(host);
    }
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    if config.listen.ip().is_unspecified() {
        names.extend(own_addresses().map(|address| address.to_string()));
    } else {
        names.push(config.listen.ip().to_string());
    }
    let mut known = std::collections::HashSet::new();
    names.retain(|name| known.insert(name.clone()));
    names
}

/// The addresses by which this box reaches others. Connecting a UDP socket sends nothing.
fn own_addresses() -> impl Iterator<Item = IpAddr> {
    // Documentation's addresses: somewhere beyond this box.
    let ways: [(IpAddr, IpAddr); 2] = [
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
    ];
    ways.into_iter().filter_map(|(from, to)| {
        let socket = UdpSocket::bind(SocketAddr::new(from, 0)).ok()?;
        socket.connect(SocketAddr::new(to, 9)).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    })
}

/// `GET /ca.crt`: this box's authority, for a device that is to trust its page. It is no secret; whoever adds it compares the
/// fingerprint with what `smartpick-edge ca` says on the box.
///
/// # Errors
/// 404 if the box has none.
#[utoipa::path(get, path = "/ca.crt", responses(
    (status = 200, description = "The certificate in PEM.", body = String, content_type = "application/x-x509-ca-cert"),
    (status = 404, description = "`no_authority`: this box does not speak HTTPS by an authority of its own."),
))]
pub async fn certificate(Shared(state): Shared<Arc<State>>) -> Result<Response, Problem> {
    let Some(authority) = &state.authority else {
        let text = "this box does not speak HTTPS by an authority of its own; [tls] mode = \"own\" makes one";
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_authority", text));
    };
    let headers = [
        (header::CONTENT_TYPE, "application/x-x509-ca-cert"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"smartpick-edge-ca.crt\""),
    ];
    Ok((headers, authority.pem().to_owned()).into_response())
}
