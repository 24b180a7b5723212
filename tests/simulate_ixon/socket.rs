//! The status WebSocket of the local client.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::StatusCode;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::bench::{Bench, fixture};

pub(crate) type Socket = WebSocketStream<TlsStream<TcpStream>>;

pub(crate) async fn open(bench: &Bench) -> Result<Socket, Box<Error>> {
    let host = bench.local.strip_prefix("https://").unwrap();
    let port = host.rsplit_once(':').unwrap().1.parse().unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let connector = TlsConnector::from(std::sync::Arc::clone(&bench.tls));
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    Ok(client_async(format!("wss://{host}/"), stream).await?.0)
}

/// Gives the next push; nothing where the socket has ended.
async fn next(socket: &mut Socket) -> Option<Message> {
    timeout(Duration::from_secs(5), socket.next()).await.unwrap()?.ok()
}

pub(crate) async fn status(socket: &mut Socket) -> Value {
    serde_json::from_str(next(socket).await.unwrap().to_text().unwrap()).unwrap()
}

#[tokio::test]
async fn each_change_is_pushed_once_and_whole() {
    let bench = Bench::start(&[]).await;
    let mut one = open(&bench).await.unwrap();
    let mut other = open(&bench).await.unwrap();
    bench.connected().await;
    bench.disconnect().await;
    for socket in [&mut one, &mut other] {
        let begun = status(socket).await;
        assert_eq!(begun["status"], "connecting");
        assert_eq!(begun["activeRequest"]["steps"][0]["status"]["code"], "002");
        for example in ["connecting", "connecting-openvpn", "connected", "idle"] {
            assert_eq!(status(socket).await, fixture(&format!("field-status-{example}")));
        }
    }
}

#[tokio::test]
async fn time_alone_is_pushed_too() {
    let bench = Bench::start(&["drops-after=10"]).await;
    let mut socket = open(&bench).await.unwrap();
    assert_eq!(bench.connect().send().await.unwrap().status(), StatusCode::OK);
    let mut words = Vec::new();
    while words.last().is_none_or(|word| word != "idle") {
        words.push(status(&mut socket).await["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(words, ["connecting", "connecting", "connecting", "connected", "idle"]);
}

#[tokio::test]
async fn the_first_push_is_optional() {
    let bench = Bench::start(&["first-push"]).await;
    let mut socket = open(&bench).await.unwrap();
    assert_eq!(status(&mut socket).await, fixture("field-status-idle"));
    bench.faults().clear("first-push");
    let mut socket = open(&bench).await.unwrap();
    assert!(timeout(Duration::from_millis(40), socket.next()).await.is_err());
}

#[tokio::test]
async fn sockets_can_be_refused_silent_or_dropped() {
    let bench = Bench::start(&["ws-refused=503"]).await;
    let refused = open(&bench).await.map(|_| ()).unwrap_err();
    assert!(matches!(*refused, Error::Http(answer) if answer.status().as_u16() == 503));
    bench.faults().clear_all();
    bench.faults().set("ws-silent");
    let mut silent = open(&bench).await.unwrap();
    bench.connected().await;
    assert!(timeout(Duration::from_millis(40), silent.next()).await.is_err());
    bench.faults().clear_all();
    bench.faults().set("ws-dropped=5*1");
    let mut dropped = open(&bench).await.unwrap();
    let end = timeout(Duration::from_secs(5), dropped.next()).await.unwrap();
    assert!(!matches!(end, Some(Ok(_))), "no close frame: {end:?}");
    let mut kept = open(&bench).await.unwrap();
    bench.disconnect().await;
    assert_eq!(status(&mut kept).await, fixture("field-status-idle"));
}

#[tokio::test]
async fn junk_comes_before_what_is_right() {
    let bench = Bench::start(&["ws-junk", "first-push"]).await;
    let mut socket = open(&bench).await.unwrap();
    assert!(serde_json::from_str::<Value>(next(&mut socket).await.unwrap().to_text().unwrap()).is_err());
    assert!(status(&mut socket).await.is_array());
    assert!(next(&mut socket).await.unwrap().is_binary());
    assert_eq!(status(&mut socket).await, fixture("field-status-idle"));
}
