//! A secret that a command prints: bounded, ended where the command of vpnctl ends, and heard only to its first line.

use std::process::Stdio;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStdout, Command};

use super::file::{MOST, PATIENCE};
use crate::error::{Code, Error, Layer, Result};

/// How long the rest of a line is waited for once the command has ended; what it left in the background may hold the
/// pipe open for ever.
const LATE: Duration = Duration::from_millis(500);

/// A command that ends with this: by SIGTERM, so that what asks on a terminal can leave it as it was.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw) {
            // Where it has just ended there is nothing to end.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        #[cfg(not(unix))]
        let _ = self.0.start_kill();
    }
}

/// Runs a command and gives the first line that it prints; `key` names the secret in messages.
pub(super) async fn run(key: &str, words: &[String], until: Option<Instant>) -> Result<SecretString> {
    run_once(key, words, until).await.map_err(|error| {
        error.hint("run the command by itself: it has to print the secret as its first line and end with 0")
    })
}

async fn run_once(key: &str, words: &[String], until: Option<Instant>) -> Result<SecretString> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Error::config(format!("`{key}`: the command is empty")));
    };
    let broken =
        |error: std::io::Error| Error::config(format!("`{key}`: the command `{program}` can't be run: {error}"));
    // A password manager may ask on the terminal, so it keeps standard input and standard error.
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::inherit())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(broken)?;
    let mut child = Running(child);
    let most = Instant::now() + PATIENCE;
    let (bound, is_ours) = until.filter(|until| *until < most).map_or((most, true), |until| (until, false));
    let Ok(ended) = tokio::time::timeout_at(bound.into(), heard(&mut child.0)).await else {
        return Err(late(key, program, is_ours));
    };
    let (status, line) = ended.map_err(broken)?;
    if !status.success() {
        return Err(Error::config(format!("`{key}`: the command `{program}` ended with {status}")));
    }
    let line = line.ok_or_else(|| Error::config(format!("`{key}`: the command `{program}` printed no secret")))?;
    String::from_utf8(line)
        .map(|line| SecretString::from(line.trim_end_matches('\r')))
        .map_err(|_| Error::config(format!("`{key}`: the command `{program}` printed no text")))
}

fn late(key: &str, program: &str, is_ours: bool) -> Error {
    let why = if is_ours {
        format!("the command `{program}` has not ended after {} s", PATIENCE.as_secs())
    } else {
        format!("the time for the command ran out while `{program}` was waited for")
    };
    Error::new(Code::TimeoutDeadline, Layer::Config, format!("`{key}`: {why}"))
        .temporary()
        .hint("unlock the password manager first, or give it more time with --timeout")
}

/// Waits for the end of a command, and gives its first line; nothing where that is longer than any secret.
async fn heard(child: &mut Child) -> std::io::Result<(std::process::ExitStatus, Option<Vec<u8>>)> {
    let mut output = child.stdout.take();
    let mut line = Line::default();
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            // All is read, so that it does not wait for somebody to read it.
            more = read_some(&mut output, &mut line), if output.is_some() => more?,
        }
    };
    let rest = async {
        while output.is_some() && !line.is_whole {
            read_some(&mut output, &mut line).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    // A line without an end is one too.
    if let Ok(read) = tokio::time::timeout(LATE, rest).await {
        read?;
    }
    Ok((status, (line.bytes.len() <= MOST).then_some(line.bytes)))
}

#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    is_whole: bool,
}

async fn read_some(output: &mut Option<ChildStdout>, line: &mut Line) -> std::io::Result<()> {
    let Some(stream) = output else { return Ok(()) };
    let mut bytes = [0; 1024];
    let count = stream.read(&mut bytes).await?;
    if count == 0 {
        *output = None;
        return Ok(());
    }
    if !line.is_whole && line.bytes.len() <= MOST {
        let read = &bytes[..count];
        let end = read.iter().position(|byte| *byte == b'\n');
        line.bytes.extend_from_slice(&read[..end.unwrap_or(count)]);
        line.is_whole = end.is_some();
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::{Duration, Instant};

    use secrecy::ExposeSecret as _;

    use super::run;
    use crate::error::{Code, Result};

    async fn shell(script: &str, until: Option<Instant>) -> Result<String> {
        let words = ["sh", "-c", script].map(str::to_owned);
        run("token", &words, until).await.map(|secret| secret.expose_secret().to_owned())
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_first_line_is_the_secret() {
        for script in
            ["printf 'one\\ntwo\\n'", "printf 'one\\r\\n'", "printf one", "printf 'one\\n'; head -c 500000 /dev/zero"]
        {
            assert_eq!(shell(script, None).await.unwrap(), "one", "{script}");
        }
        for script in ["printf 'canary\\n'; exit 3", "head -c 100000 /dev/zero", "printf 'canary\\377\\n'"] {
            let error = shell(script, None).await.unwrap_err();
            assert_eq!(error.code(), Code::ConfigInvalid, "{error}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_it_leaves_in_the_background_is_not_waited_for() {
        // The one in the background holds the pipe, and ends when this test's folder goes.
        let folder = tempfile::tempdir().unwrap();
        let hold = folder.path().display();
        let script = format!("(while [ -d '{hold}' ]; do sleep 0.05; done) & printf one");
        assert_eq!(shell(&script, None).await.unwrap(), "one");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn one_that_hangs_ends_with_the_command() {
        let folder = tempfile::tempdir().unwrap();
        let ended = folder.path().join("ended");
        let started = folder.path().join("started");
        let script = format!(
            "trap ': > {}; exit 1' TERM; : > {}; while :; do sleep 0.02; done",
            ended.display(),
            started.display()
        );
        let hangs = async {
            // Ended by its deadline, once it has begun.
            let until = Instant::now() + Duration::from_secs(2);
            shell(&script, Some(until)).await
        };
        let error = hangs.await.unwrap_err();
        assert_eq!(error.code(), Code::TimeoutDeadline, "{error}");
        assert!(error.message().contains("`token`") && started.exists(), "{error}");
        for _ in 0..1000 {
            if ended.exists() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it was left running");
    }
}
