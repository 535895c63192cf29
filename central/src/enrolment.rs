//! How boxes join and stay: the join token opens once, renewals go over the connection that the old certificate stands for,
//! and a box that was away for longer than its certificate held comes back with that certificate and its key.
//!
//! A request is signed with its key, so whoever asks has the key; a request that somebody repeats gets a certificate that is of
//! no use without it. That is why the way back needs no further proof.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, bail};
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use chrono::{DateTime, TimeDelta, Utc};
use common::clock;
use common::credentials::token_hash;
use common::ids::EdgeId;
use common::join::{Admission, EdgeName, Enrol, Renew, Return};
use common::problem::Problem;
use common::text::is_hidden;
use common::tls::authority::{Authority, Issued};
use common::tls::request::{CertificateRequest, EdgeKey};
use common::tls::server::{Files, ServerTls, Source};
use common::tls::{ClientCertificate, Fingerprint, Mode, certificates as read_certificates};
use common::web::request::client;
use common::web::throttle::{Guess, Throttle};
use rustls::RootCertStore;
use tracing::{info, warn};

use crate::access::{EdgeIdentity, not_taken};
use crate::config::{Config, Tls};
use crate::http::{ApiError, App};
use crate::store::Db;
use crate::store::certificates::{self, Given, NoReturn};
use crate::store::enrolment::{self, Newcomer, NoEntry};

/// Characters of a box's name.
const NAME_CHARS_MAX: usize = 64;

/// Who gives out certificates.
pub struct Enrolment {
    authority: Arc<Authority>,
    /// What edges are told to believe.
    authorities: Vec<String>,
    public_authorities: bool,
    life: TimeDelta,
    return_within: TimeDelta,
    /// Who tries tokens; a right one takes its attempt back.
    throttle: Mutex<Throttle>,
}

/// What the server speaks, and who gives out certificates; neither without TLS of our own.
///
/// # Errors
/// If a file cannot be used, or the authority is not the one that the other instances have.
pub async fn start(
    config: &Config,
    db: &Db,
    now: DateTime<Utc>,
) -> anyhow::Result<(Option<Arc<ServerTls>>, Option<Enrolment>)> {
    let tls = &config.tls;
    if tls.mode == Mode::Off {
        return Ok((None, None));
    }
    let authority = Arc::new(authority(db, tls, now).await?);
    let known = certificates::authorities(db).await?;
    let mut clients = RootCertStore::empty();
    for (_, pem) in &known {
        for certificate in read_certificates(pem, "table authorities")? {
            clients.add(certificate).context("use an authority of the database")?;
        }
    }
    let mut authorities: Vec<String> = known.into_iter().map(|(_, pem)| pem).collect();
    let files = tls.files();
    if let Some(path) = files.as_ref().and_then(|files| files.authority.as_ref()) {
        let pem = std::fs::read_to_string(path).with_context(|| format!("read tls.authority {}", path.display()))?;
        authorities.push(pem);
    }
    let public_authorities = files.as_ref().is_some_and(|files| files.authority.is_none());
    let source = match files {
        Some(files) => Source::Files(files),
        None => Source::Own { authority: Arc::clone(&authority), names: names(config) },
    };
    let server = ServerTls::new(source, Some(clients), now).context("set up TLS as [tls] says")?;
    info!(authority = %authority.fingerprint(), "Edges come in by certificates");
    let enrolment = Enrolment {
        authority,
        authorities,
        public_authorities,
        life: TimeDelta::seconds(i64::try_from(tls.edge_certificate_seconds).unwrap_or(i64::MAX / 1_000)),
        return_within: TimeDelta::days(tls.return_within_days.into()),
        throttle: Mutex::default(),
    };
    Ok((Some(Arc::new(server)), Some(enrolment)))
}

/// This instance's, made when it is the first one's.
async fn authority(db: &Db, tls: &Tls, now: DateTime<Utc>) -> anyhow::Result<Authority> {
    let dir = tls.ca_dir()?;
    let known = certificates::authorities(db).await?;
    let shown = dir.display();
    if let Some(authority) = Authority::open(&dir).context("use our own authority")? {
        certificates::add_authority(db, authority.fingerprint(), authority.pem(), now).await?;
        if known.first().is_some_and(|(newest, _)| *newest != authority.fingerprint()) {
            warn!(
                "The authority in {shown} is not the one that join tokens are made for; give all instances the same files"
            );
        }
        return Ok(authority);
    }
    let other = "the database knows an authority whose key is not in";
    let fix = "copy ca.key and ca.crt there from the instance that has them, or, if they are lost, run \
               `smartpick-central ca new` here, after which every edge has to be enrolled again";
    if !known.is_empty() {
        bail!("{other} {shown}; {fix}");
    }
    let authority = Authority::make(&dir, "SmartPick headquarters", now).context("make our own authority")?;
    if !certificates::first_authority(db, authority.fingerprint(), authority.pem(), now).await? {
        bail!("{other} {shown}: another instance has just made one; remove what is in {shown}, and {fix}");
    }
    info!("Made an authority in {shown}; keep a copy of it in a safe place");
    Ok(authority)
}

/// Under which names a certificate of our own is for us.
pub fn names(config: &Config) -> Vec<String> {
    let mut names = config.tls.names.clone();
    if names.is_empty() {
        names.push(gethostname::gethostname().to_string_lossy().into_owned());
    }
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    names
}

/// How a box reaches us, for its token.
pub fn url(config: &Config) -> String {
    if !config.tls.url.is_empty() {
        return config.tls.url.trim_end_matches('/').to_owned();
    }
    let port = config.listen.rsplit_once(':').map_or("8090", |(_, port)| port);
    let name = names(config).swap_remove(0);
    // An IPv6 address has its colons in brackets.
    if name.contains(':') { format!("https://[{name}]:{port}") } else { format!("https://{name}:{port}") }
}

/// What a box is to find behind our certificate: `None` for an authority that every browser knows.
///
/// # Errors
/// If there is no authority yet, or its file cannot be read.
pub async fn pin(config: &Config, db: &Db) -> anyhow::Result<Option<Fingerprint>> {
    if let Some(files) = config.tls.files() {
        let Some(path) = files.authority else { return Ok(None) };
        let pem = std::fs::read_to_string(&path).with_context(|| format!("read tls.authority {}", path.display()))?;
        let authority = read_certificates(&pem, &path.display().to_string())?;
        return Ok(authority.first().map(Fingerprint::of));
    }
    let newest = certificates::authorities(db).await?.into_iter().next();
    let (fingerprint, _) = newest.context("there is no authority yet; start central once with [tls] mode = \"own\"")?;
    Ok(Some(fingerprint))
}

impl Enrolment {
    fn issue(&self, key: &EdgeKey, edge: EdgeId, now: DateTime<Utc>) -> Issued {
        self.authority.edge(key, edge, now, self.life).expect("a key in memory signs what we made up ourselves")
    }

    fn admission(&self, edge: EdgeIdentity, given: Given) -> Admission {
        Admission {
            edge_id: edge.edge_id,
            warehouse_id: edge.warehouse_id,
            certificate: given.pem,
            not_after: given.not_after,
            renew_at: given.renew_at,
            authorities: self.authorities.clone(),
            public_authorities: self.public_authorities,
        }
    }

    /// One attempt of this address.
    fn attempt(&self, address: &Address) -> Result<Guess, Problem> {
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, address) = address;
        throttle.begin(key, *address, Instant::now()).map_err(|wait| {
            let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let text = format!("too many attempts from this address; try again in {secs} s");
            Problem {
                retry_after_secs: Some(secs),
                ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", text)
            }
        })
    }

    fn succeeded(&self, (key, address): &Address, guess: Guess) {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner).succeed(key, *address, guess, Instant::now());
    }
}

/// By whom attempts are counted: there are no accounts here, so by the address alone.
type Address = (String, common::web::throttle::Address);

fn address(peer: std::net::SocketAddr, headers: &HeaderMap) -> Address {
    let address = client(peer, headers);
    (format!("{address:?}"), address)
}

fn enrolment_of(app: &App) -> Result<&Enrolment, Problem> {
    app.enrolment.as_ref().ok_or_else(|| {
        let text = "this central does not speak TLS itself, so edges come in by tokens: `smartpick-central edges add`";
        Problem::new(StatusCode::CONFLICT, "enrolment_off", text)
    })
}

fn read<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Problem> {
    let unreadable = |error: JsonRejection| Problem::new(error.status(), "unreadable", error.body_text());
    body.map(|Json(body)| body).map_err(unreadable)
}

fn key(request: &CertificateRequest) -> Result<EdgeKey, Problem> {
    request.check().ok_or_else(|| {
        let text = "the certificate request has no key of P-256, or was not signed with it";
        Problem::new(StatusCode::BAD_REQUEST, "request_invalid", text)
    })
}

fn forbidden(code: &'static str, text: String) -> ApiError {
    Problem::new(StatusCode::FORBIDDEN, code, text).into()
}

/// `POST /api/v1/enroll`: lets a box join a site by its token. The same box may ask again until the token ends.
///
/// # Errors
/// 403 with what is wrong with the token, 400, 409, 429, 503.
#[utoipa::path(post, path = "/api/v1/enroll", request_body = Enrol, responses(
    (status = 200, description = "The box is an edge of the site.", body = Admission),
    (status = 400, description = "`unreadable`: the body is not what is taken here. `request_invalid`: the certificate \
                                  request has no key of P-256, or was not signed with it."),
    (status = 403, description = "`token_unknown`: no such token was made here. `token_used`: another box has used it. \
                                  `token_expired`: it has ended."),
    (status = 409, description = "`enrolment_off`: this central does not speak TLS itself."),
    (status = 413, description = "`unreadable`: the body is too large."),
    (status = 415, description = "`unreadable`: the body is not JSON."),
    (status = 422, description = "`unreadable`: a field is missing."),
    (status = 429, description = "`too_many_attempts`: too many from this address; Retry-After says when to try again."),
    (status = 503, description = "`database_unavailable`: try again."),
))]
pub async fn enrol(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>,
    headers: HeaderMap,
    body: Result<Json<Enrol>, JsonRejection>,
) -> Result<Json<Admission>, ApiError> {
    let enrolment = enrolment_of(&app)?;
    let address = address(peer, &headers);
    let guess = enrolment.attempt(&address)?;
    let Enrol { token, request, name } = read(body)?;
    let key = key(&request)?;
    let name = name.map(|name| name.chars().filter(|c| !is_hidden(*c)).take(NAME_CHARS_MAX).collect::<String>());
    let now = clock::now();
    let (hash, key_hash) = (token_hash(&token), key.hash());
    let newcomer = Newcomer { token: &hash, key: &key_hash, name: name.as_deref().filter(|name| !name.is_empty()) };
    let issue = |edge| enrolment.issue(&key, edge, now);
    let enrolled = enrolment::enrol(&app.db, &newcomer, issue, enrolment.authority.fingerprint(), now).await?;
    let again = "`smartpick-central sites token SITE` makes another";
    let enrolled = enrolled.map_err(|refused| match refused {
        NoEntry::Unknown => forbidden("token_unknown", format!("no such join token was made here; {again}")),
        NoEntry::Expired(at) => {
            let (at, now) = (common::cli::time(at), common::cli::time(now));
            forbidden("token_expired", format!("the join token ended at {at}, and it is {now} here; {again}"))
        }
        NoEntry::Used(at) => {
            let at = common::cli::time(at);
            forbidden("token_used", format!("another box used the join token at {at}, and it is good for one; {again}"))
        }
    })?;
    enrolment.succeeded(&address, guess);
    app.hints.fleet();
    info!(edge = %enrolled.edge, "A box has joined");
    let edge = EdgeIdentity { edge_id: enrolled.edge, warehouse_id: enrolled.warehouse };
    Ok(Json(enrolment.admission(edge, enrolled.given)))
}

/// `POST /api/v1/renew`: the next certificate, for a new key. The old one holds until the new one is used.
///
/// # Errors
/// 401 with why the certificate is not taken, 400, 409, 503.
#[utoipa::path(post, path = "/api/v1/renew", request_body = Renew, responses(
    (status = 200, description = "The next certificate.", body = Admission),
    (status = 400, description = "`unreadable`: the body is not what is taken here. `request_invalid`: the certificate \
                                  request has no key of P-256, or was not signed with it."),
    (status = 409, description = "`enrolment_off`: this central does not speak TLS itself. `no_certificate`: the edge came in \
                                  by a token, which does not end."),
    (status = 413, description = "`unreadable`: the body is too large."),
    (status = 415, description = "`unreadable`: the body is not JSON."),
    (status = 422, description = "`unreadable`: a field is missing."),
))]
pub async fn renew(
    State(app): State<Arc<App>>,
    Extension(edge): Extension<EdgeIdentity>,
    certificate: Option<Extension<ClientCertificate>>,
    body: Result<Json<Renew>, JsonRejection>,
) -> Result<Json<Admission>, ApiError> {
    let enrolment = enrolment_of(&app)?;
    let Some(Extension(ClientCertificate(certificate))) = certificate else {
        let text = "this edge came in by a token, which does not end";
        return Err(Problem::new(StatusCode::CONFLICT, "no_certificate", text).into());
    };
    let key = key(&read(body)?.request)?;
    let now = clock::now();
    let issued = enrolment.issue(&key, edge.edge_id, now);
    let shown = Fingerprint::of(&certificate);
    let given = certificates::renew(&app.db, shown, &issued, enrolment.authority.fingerprint(), now).await?;
    let given = given.map_err(not_taken)?;
    info!(edge = %edge.edge_id, "An edge has a new certificate");
    Ok(Json(enrolment.admission(edge, given)))
}

/// `POST /api/v1/return`: the way back for an edge that was away for longer than its certificate held, and so cannot come in
/// by it. Which certificates open it is in [`certificates::bring_back`].
///
/// # Errors
/// 401 with why the certificate is not taken, 403, 400, 409, 429, 503.
#[utoipa::path(post, path = "/api/v1/return", request_body = Return, responses(
    (status = 200, description = "A certificate for the same key.", body = Admission),
    (status = 400, description = "`unreadable`: the body is not what is taken here. `request_invalid`: the certificate \
                                  request has no key of P-256, or was not signed with it."),
    (status = 401, description = "`certificate_revoked`: the edge is shut out. `certificate_superseded`: another box came in \
                                  with a newer one. `certificate_unknown`: it is not in the database."),
    (status = 403, description = "`other_key`: the request was not signed with the certificate's key. `away_too_long`: the \
                                  certificate expired too long ago; enrol the box again."),
    (status = 409, description = "`enrolment_off`: this central does not speak TLS itself."),
    (status = 413, description = "`unreadable`: the body is too large."),
    (status = 415, description = "`unreadable`: the body is not JSON."),
    (status = 422, description = "`unreadable`: a field is missing."),
    (status = 429, description = "`too_many_attempts`: too many from this address; Retry-After says when to try again."),
    (status = 503, description = "`database_unavailable`: try again."),
))]
pub async fn bring_back(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>,
    headers: HeaderMap,
    body: Result<Json<Return>, JsonRejection>,
) -> Result<Json<Admission>, ApiError> {
    let enrolment = enrolment_of(&app)?;
    let address = address(peer, &headers);
    let guess = enrolment.attempt(&address)?;
    let Return { certificate, request } = read(body)?;
    let key = key(&request)?;
    let unreadable = |_| Problem::new(StatusCode::BAD_REQUEST, "unreadable", "the certificate cannot be read");
    let shown = read_certificates(&certificate, "the body").map_err(unreadable)?;
    let shown = shown.first().map_or(Fingerprint([0; 32]), Fingerprint::of);
    let now = clock::now();
    let issue = |edge| enrolment.issue(&key, edge, now);
    let by = enrolment.authority.fingerprint();
    let back = certificates::bring_back(&app.db, shown, issue, &key.hash(), by, enrolment.return_within, now).await?;
    let (edge_id, warehouse_id, given) = back.map_err(|refused| match refused {
        NoReturn::Standing(standing) => not_taken(standing).into(),
        NoReturn::OtherKey => {
            forbidden("other_key", "the request was not signed with the certificate's key".to_owned())
        }
        NoReturn::TooLate => {
            let text = "this edge's certificate expired too long ago; run `smartpick-central sites token SITE --edge EDGE` \
                        at headquarters and `smartpick-edge enroll TOKEN --replace` on the box";
            forbidden("away_too_long", text.to_owned())
        }
    })?;
    enrolment.succeeded(&address, guess);
    info!(edge = %edge_id, "An edge came back with an expired certificate");
    Ok(Json(enrolment.admission(EdgeIdentity { edge_id, warehouse_id }, given)))
}

/// `GET /api/v1/identity`: who the caller is for us. An edge tries its new certificate with it before it relies on it.
///
/// # Errors
/// 401 with why it is not let in, 503.
#[utoipa::path(get, path = "/api/v1/identity", responses((status = 200, description = "The edge.", body = EdgeName)))]
pub async fn identity(Extension(edge): Extension<EdgeIdentity>) -> Json<EdgeName> {
    Json(EdgeName { edge_id: edge.edge_id, warehouse_id: edge.warehouse_id })
}

impl Tls {
    pub(crate) fn files(&self) -> Option<Files> {
        (self.mode == Mode::Files).then(|| Files {
            certificate: (&self.certificate).into(),
            key: (&self.key).into(),
            authority: (!self.authority.is_empty()).then(|| (&self.authority).into()),
        })
    }
}
