//! A fast local server for benchmarks: prepared answers of two vendors over HTTP/2, HTTP/1.1 and plain http, counted.
//!
//! `server FOLDER DEVICES` listens on three free ports of loopback, writes a vpnctl configuration for each
//! (`http2.toml`, `http1.toml`, `plain.toml`), the CA and the ids into FOLDER, prints the three base URLs, and serves until it is ended. It knows one account of DEVICES
//! devices, of which every second one is connected; a device itself always answers that it is connected.
//!
//! Its own paths, on the plain port: `GET /__counts` tells the connections and requests of each port, `DELETE /__counts`
//! begins anew, `PUT /__delay?ms=50` makes devices answer that late.

use std::cell::Cell;
use std::fmt::Write as _;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

type Failure = Box<dyn std::error::Error>;

/// How many entries a page has where nobody says it.
const USUAL_LIMIT: usize = 50;
/// How many requests a client may have under way on one HTTP/2 connection.
const STREAMS: u32 = 1000;

const TOKEN: &[u8] = br#"{"type":"accessToken","id":"ZUYUUdRQB8w","scopeId":"QNvLTfKO1hy","createdOn":"2019-01-01T00:00:00.000Z","tokenId":"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL3d3dy5lY2xpcHNlLm9yZy9rYXB1YSIsImlhdCI6MTU2Njk5NTY0NywiZXhwIjoxNTY2OTk3NDQ3LCJzdWIiOiJBUSIsInNJZCI6IkFRIn0.c2lnbmF0dXJl","userId":"LTcVBfHB2lo","expiresOn":"2099-01-01T00:30:00.000Z","refreshToken":"533a79e1-10e6-42c7-8fec-000000000000","refreshExpiresOn":"2099-01-01T05:00:00.000Z"}"#;
const DEVICE: &[u8] = br#"{"connected": true, "ipAddress": "10.200.12.49"}"#;
const NOT_FOUND: &[u8] = br#"{"type":"exceptionInfo","httpErrorCode":404,"message":"The server knows no such path."}"#;
const VERSION: &[u8] = br#"{"box_model_name":"Freebox v9 (r1)","api_base_url":"/api/","https_port":29491,"device_name":"Freebox Server","https_available":true,"box_model":"fbxgw9-r1","api_domain":"fake-1.fbxos.fr","uid":"scrubbed-uid-1","api_version":"16.0","device_type":"FreeboxServer9,1"}"#;
const CHALLENGE: &[u8] =
    br#"{"success":true,"result":{"logged_in":false,"challenge":"VzhbtpR4r8CLaJle2QgJBEkyd8JPb0zL"}}"#;
const SESSION: &[u8] = br#"{"success":true,"result":{"session_token":"35JYdQSvkcBYK84IFMU7H86clfhS75OzwlQrKlQN1gBch\/Dd62RGzDpgC7YB9jB2","challenge":"jdGL6CtuJ3Dm7p9nkcIQ8pjB+eLwr4Ya","permissions":{"settings":true}}}"#;
const TUNNEL: &[u8] = br#"{"success":true,"result":{"enabled":true,"type":"pptp","last_error":"none","active_vpn_description":"test vpn","last_try":1392904509,"state":"up","stats":{"rate_up":0,"bytes_down":94,"bytes_up":94,"rate_down":0},"active_vpn":"vpn1","next_try":0,"last_up":1392904510,"ipv4":{"routes":{},"config_valid":true,"ip_mask":{"ip":"192.168.27.65","mask":"255.255.255.255"},"provider":"ppp","dhcp":{"state":"down","renew_remaining":0,"dhcp_options":{},"lease_remaining":0,"lease_time":0,"rebind_remaining":0,"server_id":0},"dns":["212.27.38.253"],"domain":"","gateway":"212.27.38.253"}}}"#;

/// What came to one port.
#[derive(Default)]
struct Counts {
    connections: Cell<u64>,
    requests: Cell<u64>,
}

impl Counts {
    fn text(&self) -> String {
        format!(r#"{{"connections":{},"requests":{}}}"#, self.connections.get(), self.requests.get())
    }

    fn clear(&self) {
        self.connections.set(0);
        self.requests.set(0);
    }
}

/// All that the answers depend on.
struct World {
    delay: Cell<Duration>,
    devices: Vec<Bytes>,
    connections: Vec<Bytes>,
    h2: Counts,
    h1: Counts,
    plain: Counts,
}

/// Which port something came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Port {
    Http2,
    Http1,
    Plain,
}

impl World {
    fn new(devices: usize) -> Self {
        Self {
            delay: Cell::new(Duration::ZERO),
            devices: (0..devices).map(|number| Bytes::from(device(number))).collect(),
            connections: (0..devices).step_by(2).map(|number| Bytes::from(connection(number))).collect(),
            h2: Counts::default(),
            h1: Counts::default(),
            plain: Counts::default(),
        }
    }

    fn counts(&self, port: Port) -> &Counts {
        match port {
            Port::Http2 => &self.h2,
            Port::Http1 => &self.h1,
            Port::Plain => &self.plain,
        }
    }

    /// Answers a request that is none to a device.
    fn answer(&self, method: &Method, path: &str, query: &str) -> Option<Bytes> {
        match path {
            "/v1/authentication/user" => Some(Bytes::from_static(TOKEN)),
            "/v1/_/devices" => Some(page("deviceListResult", &self.devices, query)),
            "/v1/_/devices/_count" => Some(Bytes::from(format!(r#"{{"count":{}}}"#, self.devices.len()))),
            "/v1/_/vpnConnections" => Some(page("vpnConnectionListResult", &self.connections, query)),
            "/api_version" => Some(Bytes::from_static(VERSION)),
            "/__counts" => {
                if *method == Method::DELETE {
                    [&self.h2, &self.h1, &self.plain].into_iter().for_each(Counts::clear);
                }
                let (h2, h1, plain) = (self.h2.text(), self.h1.text(), self.plain.text());
                Some(Bytes::from(format!("{{\"http2\":{h2},\"http1\":{h1},\"plain\":{plain}}}\n")))
            }
            "/__delay" => {
                self.delay.set(Duration::from_millis(u64::try_from(number(query, "ms").unwrap_or(0)).unwrap_or(0)));
                Some(Bytes::new())
            }
            path if path.starts_with("/api/v") => match path.splitn(4, '/').nth(3)? {
                "login/" | "login" => Some(Bytes::from_static(CHALLENGE)),
                "login/session/" | "login/session" => Some(Bytes::from_static(SESSION)),
                "vpn_client/status" => Some(Bytes::from_static(TUNNEL)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Tells whether a path asks a device itself.
fn asks_device(path: &str) -> bool {
    path.starts_with("/v1/_/devices/") && path.ends_with("/vpn")
}

/// Gives the id of a device, as the cloud writes a number of 64 bits.
fn id(number: usize) -> String {
    let number = u64::try_from(number).unwrap_or_default();
    URL_SAFE_NO_PAD.encode((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes())
}

fn device(number: usize) -> String {
    let id = id(number);
    format!(
        r#"{{"type":"device","id":"{id}","scopeId":"AQ","createdOn":"2019-09-12T09:04:37.315Z","createdBy":"Ag","modifiedOn":"2019-09-12T09:04:37.603Z","modifiedBy":"Ag","optlock":2,"clientId":"device-{number:06}","connectionId":"{id}","status":"ENABLED","displayName":"Device {number}","lastEventId":"YYHQ2i1S-P0","serialNumber":"SN-{number:06}","modelId":"ESF-Docker-RHEL","modelName":"ESF-Docker-RHEL","biosVersion":"N/A","firmwareVersion":"N/A","osVersion":"4.9.184-linuxkit","jvmVersion":"25.161-b12 mixed mode","osgiFrameworkVersion":"1.8.0","applicationFrameworkVersion":"ESF_6.0.0","connectionInterface":"lo (00:00:00:00:00:00)","connectionIp":"127.0.0.1","applicationIdentifiers":"heaterPROV-V2DEPLOY-V2VPNCLIENT-V2CONF-V1CERT-V1ASSET-V1CMD-V1","acceptEncoding":"gzip","tamperStatus":"NOT_TAMPERED","tagIds":[]}}"#
    )
}

fn connection(number: usize) -> String {
    let id = id(number);
    let (high, low) = (number / 250, number % 250 + 1);
    format!(
        r#"{{"type":"vpnConnection","id":"C{id}","scopeId":"AQ","createdOn":"2020-01-31T15:41:43.000Z","createdBy":"AQ","modifiedOn":"2020-01-31T15:41:43.000Z","modifiedBy":"AQ","optlock":1,"inetAddress":"10.{}.{}.{low}","deviceId":"{id}","vpnServerId":"PWGG8-qIT38"}}"#,
        high / 250,
        high % 250,
    )
}

/// Reads a number of a query.
fn number(query: &str, key: &str) -> Option<usize> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == key)?.1.parse().ok()
}

/// Makes a page of a list.
fn page(kind: &str, all: &[Bytes], query: &str) -> Bytes {
    let offset = number(query, "offset").unwrap_or(0).min(all.len());
    let end = (offset + number(query, "limit").unwrap_or(USUAL_LIMIT)).min(all.len());
    let items = &all[offset..end];
    let mut text = format!(r#"{{"type":"{kind}","limitExceeded":{},"size":{},"#, end < all.len(), items.len());
    if query.contains("askTotalCount=true") {
        let _ = write!(text, r#""totalCount":{},"#, all.len());
    }
    text.push_str(r#""items":["#);
    let mut text = text.into_bytes();
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            text.push(b',');
        }
        text.extend_from_slice(item);
    }
    text.extend_from_slice(b"]}");
    Bytes::from(text)
}

async fn respond(
    world: Rc<World>,
    port: Port,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if !path.starts_with("/__") {
        let counts = world.counts(port);
        counts.requests.set(counts.requests.get() + 1);
    }
    // What is sent is read to its end, so that the connection can be used again.
    if head.method != Method::GET {
        body.collect().await?;
    }
    let answer = if asks_device(path) {
        let delay = world.delay.get();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        Some(Bytes::from_static(DEVICE))
    } else {
        world.answer(&head.method, path, head.uri.query().unwrap_or_default())
    };
    let status = if answer.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let mut response = Response::new(Full::new(answer.unwrap_or(Bytes::from_static(NOT_FOUND))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + 'static>(world: Rc<World>, port: Port, stream: S) {
    let mut builder = auto::Builder::new(Local);
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS);
    let service = service_fn(move |request| respond(Rc::clone(&world), port, request));
    // A client that goes away in the middle is no failure of a benchmark.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// Runs tasks on the one thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

async fn accept(world: Rc<World>, port: Port, listener: TcpListener, tls: Option<TlsAcceptor>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let (world, tls) = (Rc::clone(&world), tls.clone());
        tokio::task::spawn_local(connected(world, port, stream, tls));
    }
}

async fn connected(world: Rc<World>, port: Port, stream: TcpStream, tls: Option<TlsAcceptor>) {
    let counts = world.counts(port);
    counts.connections.set(counts.connections.get() + 1);
    match tls {
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(world, port, stream).await;
            }
        }
        None => serve(world, port, stream).await,
    }
}

/// A certificate of this process and who vouches for it.
struct Identity {
    ca: String,
    leaf: rcgen::Certificate,
    key: KeyPair,
}

fn identity() -> Result<Identity, Failure> {
    let mut root = CertificateParams::new(Vec::new())?;
    root.distinguished_name.push(DnType::CommonName, "vpnctl benchmark CA");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root_key = KeyPair::generate()?;
    let ca = root.self_signed(&root_key)?.pem();
    let issuer = Issuer::new(root, root_key);
    let leaf = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let key = KeyPair::generate()?;
    Ok(Identity { ca, leaf: leaf.signed_by(&key, &issuer)?, key })
}

fn acceptor(identity: &Identity, protocols: &[&str]) -> Result<TlsAcceptor, Failure> {
    let key = PrivateKeyDer::try_from(identity.key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![identity.leaf.der().clone()], key)?;
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Writes a secret that only its owner can read, as vpnctl wants it.
fn write_secret(path: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?.write_all(b"benchmark")
}

/// Writes a configuration for each port, called after it, that drives vpnctl against this server.
fn write_configurations(folder: &Path, ca: &str, h2: u16, h1: u16, plain: u16) -> Result<(), Failure> {
    let place = folder.display();
    std::fs::write(folder.join("ca.pem"), ca)?;
    write_secret(&folder.join("password"))?;
    write_secret(&folder.join("app-token"))?;
    for (name, port) in [("http2", h2), ("http1", h1)] {
        let text = format!(
            "[backend.plant]\nvendor = \"everyware\"\nurl = \"https://localhost:{port}/v1\"\nusername = \"operator\"\n\
             password = {{ file = \"{place}/password\" }}\ntls.ca_file = \"{place}/ca.pem\"\n"
        );
        std::fs::write(folder.join(format!("{name}.toml")), text)?;
    }
    let text = format!(
        "[backend.home]\nvendor = \"freebox\"\nurl = \"http://127.0.0.1:{plain}\"\n\
         app_token = {{ file = \"{place}/app-token\" }}\n"
    );
    std::fs::write(folder.join("plain.toml"), text)?;
    Ok(())
}

async fn run(folder: &Path, devices: usize) -> Result<(), Failure> {
    let identity = identity()?;
    let (h2, h1) = (acceptor(&identity, &["h2", "http/1.1"])?, acceptor(&identity, &["http/1.1"])?);
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(TcpListener::bind(("127.0.0.1", 0)).await?);
    }
    let ports: Vec<u16> = listeners.iter().map(|one| one.local_addr().map(|at| at.port())).collect::<Result<_, _>>()?;
    write_configurations(folder, &identity.ca, ports[0], ports[1], ports[2])?;
    let mut ids = String::new();
    for number in 0..devices {
        writeln!(ids, "{}", id(number))?;
    }
    std::fs::write(folder.join("ids"), ids)?;
    println!("https://localhost:{} https://localhost:{} http://127.0.0.1:{}", ports[0], ports[1], ports[2]);
    let world = Rc::new(World::new(devices));
    let kinds = [(Port::Http2, Some(h2)), (Port::Http1, Some(h1)), (Port::Plain, None)];
    let local = tokio::task::LocalSet::new();
    for (listener, (port, tls)) in listeners.into_iter().zip(kinds) {
        local.spawn_local(accept(Rc::clone(&world), port, listener, tls));
    }
    local.await;
    Ok(())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, devices] = arguments.as_slice() else {
        return Err("usage: server FOLDER DEVICES".into());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(&std::path::absolute(folder)?, devices.parse()?))
}
