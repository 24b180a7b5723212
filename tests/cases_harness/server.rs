//! A server on loopback that gives fixed answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// One answer.
#[derive(Clone)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Further header lines, each ended by CR and LF.
    pub(crate) headers: String,
    /// The body.
    pub(crate) body: String,
}

impl Answer {
    /// Answers 200 with a document.
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self { status: 200, headers: "Content-Type: application/json\r\n".to_owned(), body: body.into() }
    }
}

/// Says how a request that begins with certain words is answered, the first, second … time; the last stays.
pub(crate) struct Rule {
    /// What the request line begins with: `GET /status `.
    pub(crate) at: String,
    answers: Vec<Answer>,
    met: AtomicUsize,
    counted: bool,
}

impl Rule {
    /// Answers always the same.
    pub(crate) fn always(at: impl Into<String>, answer: Answer) -> Self {
        Self::in_turn(at, vec![answer])
    }

    /// Gives one answer after the other.
    pub(crate) fn in_turn(at: impl Into<String>, answers: Vec<Answer>) -> Self {
        Self { at: at.into(), answers, met: AtomicUsize::new(0), counted: false }
    }

    /// Counts how often it was met.
    pub(crate) fn counted(mut self) -> Self {
        self.counted = true;
        self
    }

    fn answer(&self) -> Answer {
        let time = self.met.fetch_add(1, Ordering::SeqCst);
        self.answers[time.min(self.answers.len() - 1)].clone()
    }
}

/// A running server; it ends with its runtime.
pub(crate) struct Server {
    /// Where it is, without a slash at the end.
    pub(crate) url: String,
    rules: Arc<Vec<Rule>>,
}

impl Server {
    /// Starts one; the first rule that fits answers. `{url}` in a body becomes the server's own.
    pub(crate) async fn start(rules: Vec<Rule>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let rules = Arc::new(rules);
        let (own, place) = (Arc::clone(&rules), url.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (rules, place) = (Arc::clone(&own), place.clone());
                tokio::spawn(async move { serve(stream, &rules, &place).await });
            }
        });
        Self { url, rules }
    }

    /// Tells how often the rules that count were met.
    pub(crate) fn times_met(&self) -> usize {
        self.rules.iter().filter(|rule| rule.counted).map(|rule| rule.met.load(Ordering::SeqCst)).sum()
    }
}

async fn serve(mut stream: TcpStream, rules: &[Rule], url: &str) -> Option<()> {
    let mut bytes = Vec::new();
    let head = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let length = text.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    while bytes.len() < head + length.unwrap_or(0) {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let answer = rules.iter().find(|rule| text.starts_with(&rule.at)).map_or_else(
        // No vendor says this, so a request that nobody thought of shows.
        || Answer {
            status: 418,
            headers: String::new(),
            body: format!("no rule for {}", text.lines().next().unwrap()),
        },
        Rule::answer,
    );
    let body = answer.body.replace("{url}", url);
    let reply = format!(
        "HTTP/1.1 {} X\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        answer.status,
        answer.headers,
        body.len()
    );
    stream.write_all(reply.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
