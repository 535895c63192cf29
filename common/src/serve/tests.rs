//! Against real sockets: what one client cannot take from the others, and who comes in with which certificate.

use std::io::ErrorKind;

use axum::Extension;
use axum::body::Bytes;
use axum::routing::{get, post};
use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::*;
use crate::ids::EdgeId;
use crate::tls::authority::Authority;
use crate::tls::request::{CertificateRequest, new_key};
use crate::tls::server::{Files, Source};
use crate::tls::{Fingerprint, provider};

/// Longer than any limit here, shorter than a patience.
const SOON: Duration = Duration::from_secs(10);

fn short() -> Limits {
    let short = Duration::from_millis(200);
    Limits { handshake: short, head: short, body: short, ..Limits::default() }
}

/// Says whose certificate a client showed, and takes bodies.
fn router() -> Router {
    let whose = async |certificate: Option<Extension<ClientCertificate>>| {
        certificate.map_or_else(|| "nobody".to_owned(), |Extension(c)| Fingerprint::of(&c.0).to_string())
    };
    Router::new().route("/", get(whose)).route("/body", post(async |body: Bytes| body.len().to_string()))
}

async fn start(limits: Limits, tls: Option<ServerTls>) -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = tcp.local_addr().expect("bound");
    let listener = Listener { tcp, tls: tls.map(Arc::new), limits };
    tokio::spawn(serve(listener, router(), CancellationToken::new()));
    address
}

/// All that the server says until it closes.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut said = Vec::new();
    match tokio::time::timeout(SOON, stream.read_to_end(&mut said)).await.expect("the server never closed") {
        Ok(_) => {}
        Err(error) => assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::InvalidData), "{error}"),
    }
    String::from_utf8_lossy(&said).into_owned()
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("connected")
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_head_that_never_ends_is_not_waited_for() {
    let address = start(short(), None).await;
    let mut slow = connect(address).await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ").await.expect("sent");
    assert!(!rest(&mut slow).await.contains("200 OK"));
    let mut silent = connect(address).await;
    assert_eq!(rest(&mut silent).await, "");
}

#[tokio::test]
async fn a_body_that_trickles_is_not_waited_for() {
    let address = start(short(), None).await;
    let mut slow = connect(address).await;
    slow.write_all(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nConnection: close\r\n\r\n1")
        .await
        .expect("sent");
    let said = rest(&mut slow).await;
    assert!(said.starts_with("HTTP/1.1 400") && said.contains("did not arrive within"), "{said}");
    let mut quick = connect(address).await;
    quick
        .write_all(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\n123")
        .await
        .expect("sent");
    assert!(rest(&mut quick).await.ends_with("\r\n\r\n3"));
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let address = start(Limits { connections_per_ip_max: 2, ..Limits::default() }, None).await;
    let (first, _second) = (connect(address).await, connect(address).await);
    let mut third = connect(address).await;
    assert_eq!(rest(&mut third).await, "", "it is closed at once, not after its head is late");
    drop(first);
    // Its place is free once the server has noticed.
    let answered = async {
        loop {
            let mut again = connect(address).await;
            drop(again.write_all(GET).await);
            if rest(&mut again).await.contains("nobody") {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, answered).await.expect("never let in again");
}

#[tokio::test]
async fn beyond_the_most_connections_one_waits_for_a_place() {
    let address = start(Limits { connections_max: 1, ..Limits::default() }, None).await;
    let first = connect(address).await;
    let mut second = connect(address).await;
    second.write_all(GET).await.expect("sent");
    let early = tokio::time::timeout(Duration::from_millis(200), second.read_u8()).await;
    assert!(early.is_err(), "it was served beside the first");
    drop(first);
    assert!(rest(&mut second).await.contains("200 OK"));
}

struct Pki {
    dir: tempfile::TempDir,
    authority: Arc<Authority>,
    now: DateTime<Utc>,
}

impl Pki {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let now = crate::clock::now();
        let authority = Arc::new(Authority::make(dir.path(), "test", now).expect("made"));
        Self { dir, authority, now }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate().clone()).expect("an authority");
        roots
    }

    fn server(&self) -> ServerTls {
        let source = Source::Own { authority: Arc::clone(&self.authority), names: vec!["localhost".to_owned()] };
        ServerTls::new(source, Some(self.roots()), self.now).expect("TLS")
    }

    /// A client that believes our authority and shows this certificate.
    fn client(&self, shows: Option<(String, String)>) -> TlsConnector {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(self.roots());
        let config = match shows {
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
                config.with_client_auth_cert(vec![certificate], key).expect("a pair")
            }
            None => config.with_no_client_auth(),
        };
        TlsConnector::from(Arc::new(config))
    }

    fn issue(&self, at: DateTime<Utc>) -> (String, String) {
        let key = new_key().expect("a key");
        let asked = CertificateRequest::new(&key).expect("signed").check().expect("its own");
        let edge = EdgeId::from_uuid(uuid::Uuid::new_v4());
        (self.authority.edge(&asked, edge, at, TimeDelta::days(90)).expect("signed").pem, key)
    }
}

async fn ask(client: &TlsConnector, address: SocketAddr) -> Result<String, String> {
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = client.connect(name, connect(address).await).await.map_err(|error| error.to_string())?;
    stream.write_all(GET).await.map_err(|error| error.to_string())?;
    let mut said = Vec::new();
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut said)).await.expect("the server never closed");
    read.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn a_certificate_of_ours_is_told_to_handlers_and_none_is_no_hindrance() {
    let pki = Pki::new();
    let address = start(Limits::default(), Some(pki.server())).await;
    let answer = ask(&pki.client(None), address).await.expect("answered");
    assert!(answer.contains("200 OK") && answer.ends_with("nobody"), "{answer}");
    let (certificate, key) = pki.issue(pki.now);
    let print = Fingerprint::of(&CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")).to_string();
    let answer = ask(&pki.client(Some((certificate, key))), address).await.expect("answered");
    assert!(answer.ends_with(&print), "{answer}");
}

#[tokio::test]
async fn an_expired_or_a_foreign_certificate_is_refused() {
    let pki = Pki::new();
    let address = start(Limits::default(), Some(pki.server())).await;
    let expired = pki.issue(pki.now - TimeDelta::days(91));
    let refusal = ask(&pki.client(Some(expired)), address).await.expect_err("refused");
    assert!(refusal.contains("Expired"), "{refusal}");
    let foreign = Pki::new().issue(pki.now);
    let refusal = ask(&pki.client(Some(foreign)), address).await.expect_err("refused");
    assert!(refusal.contains("alert"), "{refusal}");
}

#[tokio::test]
async fn who_does_not_shake_hands_is_not_waited_for() {
    let pki = Pki::new();
    let address = start(short(), Some(pki.server())).await;
    let mut silent = connect(address).await;
    assert_eq!(rest(&mut silent).await, "");
    let mut plain = connect(address).await;
    plain.write_all(GET).await.expect("sent");
    assert!(!rest(&mut plain).await.contains("HTTP/1.1"), "plain HTTP is not spoken here");
}

/// What a server shows now.
async fn shown(client: &TlsConnector, address: SocketAddr) -> Fingerprint {
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = client.connect(name, connect(address).await).await.expect("TLS");
    Fingerprint::of(&stream.get_ref().1.peer_certificates().expect("shown")[0])
}

#[tokio::test]
async fn a_servers_certificate_is_renewed_while_it_runs() {
    let pki = Pki::new();
    let tls = Arc::new(pki.server());
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = tcp.local_addr().expect("bound");
    let listener = Listener { tcp, tls: Some(Arc::clone(&tls)), limits: Limits::default() };
    tokio::spawn(serve(listener, router(), CancellationToken::new()));
    let first = shown(&pki.client(None), address).await;
    tls.refresh(pki.now + TimeDelta::days(59));
    assert_eq!(shown(&pki.client(None), address).await, first);
    // Made early it would not be valid yet, so the client's clock is not asked here.
    tls.refresh(pki.now + TimeDelta::days(61));
    let refusal = ask(&pki.client(None), address).await.expect_err("of the future");
    assert!(refusal.contains("not valid yet") || refusal.contains("NotValidYet"), "{refusal}");
}

#[tokio::test]
async fn files_are_read_again_when_they_change_and_bad_ones_change_nothing() {
    let pki = Pki::new();
    let (certificate, key) = (pki.dir.path().join("server.crt"), pki.dir.path().join("server.key"));
    let put = |text: (String, String)| {
        std::fs::write(&certificate, text.0).expect("written");
        std::fs::write(&key, text.1).expect("written");
    };
    let issue = || {
        let (certificate, key, _) = pki.authority.sign_server(&["localhost".to_owned()], pki.now).expect("signed");
        (certificate.pem(), key.serialize_pem())
    };
    put(issue());
    let files = Files { certificate: certificate.clone(), key: key.clone(), authority: None };
    let tls = Arc::new(ServerTls::new(Source::Files(files), None, pki.now).expect("TLS"));
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = tcp.local_addr().expect("bound");
    let listener = Listener { tcp, tls: Some(Arc::clone(&tls)), limits: Limits::default() };
    tokio::spawn(serve(listener, router(), CancellationToken::new()));
    let first = shown(&pki.client(None), address).await;
    // A key that does not go with the certificate, as between two copies.
    std::fs::write(&key, issue().1).expect("written");
    tls.refresh(pki.now);
    assert_eq!(shown(&pki.client(None), address).await, first);
    put(issue());
    tls.refresh(pki.now);
    assert_ne!(shown(&pki.client(None), address).await, first);
}
