//! A real `vpnctl serve metrics` with the arguments of its manifest, on a free port, and what it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::bare;
use crate::kinds::{Deployment, the};

/// After which time something that never comes is a failure.
const NEVER: Duration = Duration::from_secs(40);

/// The endpoint of the manifest, over simulated vendors.
pub(crate) struct Endpoint {
    child: Child,
    address: String,
    _folder: TempDir,
}

impl Endpoint {
    pub(crate) fn start() -> Self {
        let deployment: Deployment = the("metrics.yaml", "Deployment");
        let mut arguments = deployment.spec.template.spec.containers[0].args.clone();
        let listen = arguments.iter().position(|word| word == "--listen").expect("--listen") + 1;
        arguments[listen] = "127.0.0.1:0".to_owned();
        let folder = tempfile::tempdir().unwrap();
        let mut command = bare(folder.path());
        command.arg("--demo").args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("it says where it listens").unwrap();
            if let Some(url) = line.strip_prefix("listening on http://") {
                break url.split('/').next().unwrap().to_owned();
            }
        };
        // Read on, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, _folder: folder }
    }

    /// Gives the status and the body of an answer.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(NEVER)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Scrapes once all three vendors were read: each name of a sample with the names of its labels.
    pub(crate) fn samples(&self) -> BTreeMap<String, BTreeSet<String>> {
        let begun = Instant::now();
        loop {
            let (status, text) = self.get("/metrics");
            assert_eq!(status, 200, "{text}");
            if text.lines().filter(|line| line.starts_with("vpnctl_up{") && line.ends_with(" 1")).count() == 3 {
                return samples(&text);
            }
            assert!(begun.elapsed() < NEVER, "not all are up:\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // It may have ended by itself, which its test tells.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes the names out of lines such as `name{label="value",other="value"} 1`.
fn samples(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let labels = found.entry(name.to_owned()).or_default();
        for (at, _) in line.match_indices("=\"") {
            labels.insert(line[..at].rsplit(['{', ',']).next().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn the_probes_of_the_manifest_are_answered() {
    let endpoint = Endpoint::start();
    let deployment: Deployment = the("metrics.yaml", "Deployment");
    let container = &deployment.spec.template.spec.containers[0];
    for probe in [&container.readiness_probe, &container.liveness_probe] {
        let path = &probe.as_ref().expect("a probe").http_get.path;
        assert_eq!(endpoint.get(path).0, 200, "{path}");
    }
    assert_eq!(endpoint.get("/no-such-page").0, 404);
}
