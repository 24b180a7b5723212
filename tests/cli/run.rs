//! One run of the binary: its exit code and what it wrote.

use std::io::{Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// After which time a command that does not end is a failure of its own; no test comes near.
const HANGS: Duration = Duration::from_secs(60);

/// What one run of the binary came to.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) what: String,
}

impl Run {
    /// Starts a command and waits for its end.
    pub(crate) fn of(mut command: Command, stdin: &str) -> Self {
        let what = format!("{:?}", command.get_args().collect::<Vec<_>>());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // Who does not read its standard input may have ended already.
        let _ = input.write_all(stdin.as_bytes());
        drop(input);
        Self::end_of(child, what)
    }

    /// Waits for the end of a command that was started already.
    pub(crate) fn end_of(mut child: Child, what: String) -> Self {
        let out = gather(child.stdout.take());
        let err = gather(child.stderr.take());
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > HANGS {
                child.kill().unwrap();
                panic!("{what} does not end");
            }
            thread::sleep(Duration::from_millis(3));
        };
        let (stdout, stderr) = (out.join().unwrap(), err.join().unwrap());
        // A process that a signal ended has no code of its own, and none is expected.
        let run = Self { code: status.code().unwrap_or(-1), stdout, stderr, what };
        crate::schema::audit(&run, &run.what);
        run
    }

    /// Holds the exit code to what is expected, and shows all there is where it differs.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Holds standard error to hold a text.
    #[track_caller]
    pub(crate) fn tells(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "`{part}` is not told: {self}");
        self
    }

    /// Holds standard output to hold a text.
    #[track_caller]
    pub(crate) fn prints(self, part: &str) -> Self {
        assert!(self.stdout.contains(part), "`{part}` is not printed: {self}");
        self
    }

    /// Holds standard error to be empty.
    #[track_caller]
    pub(crate) fn quietly(self) -> Self {
        assert_eq!(self.stderr, "", "{self}");
        self
    }

    /// Holds standard output to be empty.
    #[track_caller]
    pub(crate) fn without_output(self) -> Self {
        assert_eq!(self.stdout, "", "{self}");
        self
    }

    /// Reads standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self}"))
    }

    /// Gives the items of a JSON report.
    #[track_caller]
    pub(crate) fn items(&self) -> Vec<Value> {
        self.json()["items"].as_array().unwrap_or_else(|| panic!("no items: {self}")).clone()
    }

    /// Gives the one item of a JSON report.
    #[track_caller]
    pub(crate) fn item(&self) -> Value {
        let mut items = self.items();
        assert_eq!(items.len(), 1, "one item is expected: {self}");
        items.remove(0)
    }

    /// Gives the error object, which is the last line of standard error.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        let last = self.stderr.lines().last().unwrap_or_else(|| panic!("nothing on standard error: {self}"));
        let error: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("no object ({error}): {self}"));
        assert_eq!(error["type"], "error", "{self}");
        assert_eq!(error["exit"], self.code, "the object and the process differ: {self}");
        error
    }

    /// Holds the error object to a code; the exit code is the one that it names.
    #[track_caller]
    pub(crate) fn fails(&self, code: &str) -> Value {
        let error = self.error();
        assert_eq!(error["code"], code, "{self}");
        error
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ended with {}\n{}\n--- standard error\n{}", self.what, self.code, self.stdout, self.stderr)
    }
}

fn gather(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            stream.read_to_end(&mut bytes).unwrap();
        }
        String::from_utf8(bytes).unwrap()
    })
}

/// Splits a command line at its spaces; what stands between ' is one word.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}
