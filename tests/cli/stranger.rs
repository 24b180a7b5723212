//! A server that answers for all three vendors with whatever a test makes up, and remembers what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;

use crate::bench::{bare, private};
use crate::run::{Run, words};

/// What is answered: a status, more headers, and a body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, headers: String::new(), body: body.as_bytes().to_vec() }
    }
}

impl From<Value> for Answer {
    fn from(document: Value) -> Self {
        Self::text(200, &document.to_string())
    }
}

/// A request.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The lines behind the first one.
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// The server, its requests as `METHOD PATH`, and a place for the binary's files.
pub(crate) struct Stranger {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stranger {
    /// Starts it; who answers gets the method, and the path with its query.
    pub(crate) fn answering(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Self {
        Self::hearing(move |heard| answer(&heard.method, &heard.path))
    }

    /// Starts it; who answers gets all that was said.
    pub(crate) fn hearing(answer: impl Fn(&Heard) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || serve(&stream, &seen, &*answer));
            }
        });
        Self { folder: TempDir::new().unwrap(), port, asked }
    }

    /// Gives what was asked since the last call of this.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// Gives a configuration with a backend of each vendor, all of them here.
    pub(crate) fn config(&self) -> String {
        let here = format!("http://127.0.0.1:{}", self.port);
        format!(
            "[backend.freebox]\nvendor = \"freebox\"\nurl = \"{here}\"\napp_token = \"t\"\n\
             [backend.ixon]\nvendor = \"ixon\"\nurl = \"{here}\"\ncloud_url = \"{here}/cloud\"\n\
             application_id = \"a\"\ncompany_id = \"c\"\ntoken = \"t\"\n\
             [backend.everyware]\nvendor = \"everyware\"\nurl = \"{here}/v1\"\nusername = \"u\"\npassword = \"p\"\n"
        )
    }

    /// Makes the command with a configuration.
    pub(crate) fn command(&self, config: &str, line: &str) -> Command {
        let path = self.folder.path().join("vpnctl.toml");
        write(&path, config);
        let mut command = bare(self.folder.path());
        command.env("VPNCTL_CONFIG", path).args(words(line));
        command
    }

    /// Runs the binary with [`Stranger::config`].
    pub(crate) fn run(&self, line: &str) -> Run {
        self.run_by(&self.config(), line)
    }

    /// Runs the binary with a configuration.
    pub(crate) fn run_by(&self, config: &str, line: &str) -> Run {
        Run::of(self.command(config, line), "")
    }

    /// Forgets sessions, links and names.
    pub(crate) fn forget(&self) {
        let state = self.folder.path().join("state");
        if state.exists() {
            std::fs::remove_dir_all(state).unwrap();
        }
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    private(path);
}

fn serve(stream: &TcpStream, seen: &Mutex<Vec<String>>, answer: &dyn Fn(&Heard) -> Answer) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let (mut length, mut headers) = (0, String::new());
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) <= 2 {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            headers.push_str(&header);
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let mut parts = first.split(' ');
        let (method, path) = (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned());
        seen.lock().unwrap().push(format!("{method} {path}"));
        let body = String::from_utf8_lossy(&body).into_owned();
        let Answer { status, headers, body } = answer(&Heard { method, path, headers, body });
        let head = format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n", body.len());
        let mut stream = stream;
        // In one piece: a second one would wait until the first was acknowledged.
        if stream.write_all(&[head.into_bytes(), body].concat()).is_err() {
            return;
        }
    }
}
