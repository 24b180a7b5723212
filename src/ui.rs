//! The only place that writes to standard output and standard error, and that asks on the terminal.

use std::io::{self, BufWriter, IsTerminal as _, Read as _, Stdout, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use secrecy::{ExposeSecret as _, SecretString};

use crate::backend::{Asked, Person};
use crate::error::{Error, Result};
use crate::render::{Screen, sanitize};

/// How often a spinner moves.
const SPIN: std::time::Duration = std::time::Duration::from_millis(120);

/// The most that one secret can be, in bytes; what is longer may never end.
const LONGEST_SECRET: usize = 64 * 1024;

/// The bar on the last line of standard error; who writes beside it takes it out for as long.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Says when to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless the environment says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Decides for standard output: `NO_COLOR`, `CLICOLOR_FORCE` and `TERM=dumb` are honoured.
    #[must_use]
    pub fn on_stdout(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
        }
    }
}

/// Gives standard output, buffered; who needs a line to be seen at once flushes it.
#[must_use]
pub fn stdout() -> BufWriter<Stdout> {
    BufWriter::new(io::stdout())
}

/// Gives standard error, for the trace: what is written there at once stays in one piece where a bar is drawn.
#[must_use]
pub fn stderr() -> impl Write {
    BesideBar(io::stderr())
}

/// Writes a line to standard error; where that is closed, nobody is there to be told.
pub fn tell(line: &str) {
    let _ = beside_bar(|| writeln!(io::stderr(), "{line}"));
}

/// A stream that shares its lines with a bar.
struct BesideBar<W>(W);

impl<W: Write> Write for BesideBar<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        beside_bar(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes whole lines where a bar may be drawn: it goes meanwhile, and comes back below them.
pub fn beside_bar<T>(write: impl FnOnce() -> T) -> T {
    // Taken out, so that what is told while something is written does not wait for itself.
    let Some(bar) = bar().take() else { return write() };
    let written = bar.suspend(write);
    bar_again(bar);
    written
}

fn bar() -> MutexGuard<'static, Option<ProgressBar>> {
    BAR.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bar_again(drawn: ProgressBar) {
    bar().replace(drawn);
}

/// Tells whether a bar can be drawn on standard error and taken away again.
#[must_use]
pub fn can_draw_bar() -> bool {
    io::stderr().is_terminal() && !is_dumb()
}

/// Tells that the terminal only prints. One that does not say what it is can't be relied on to do more; on Windows none
/// says so.
fn is_dumb() -> bool {
    std::env::var("TERM").map_or(cfg!(unix), |term| term == "dumb")
}

/// Draws the bar's line on standard error, over the one that was drawn before; what does not fit is cut off.
pub fn draw_bar(line: String) {
    let drawn = bar().take().unwrap_or_else(|| {
        let drawn = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        match ProgressStyle::with_template("{wide_msg}") {
            Ok(style) => drawn.with_style(style),
            Err(_) => drawn,
        }
    });
    drawn.set_message(line);
    bar_again(drawn);
}

/// Takes the bar away, without a trace.
pub fn clear_bar() {
    if let Some(drawn) = bar().take() {
        drawn.finish_and_clear();
    }
}

/// Writes text to standard output as it is, for documents that are no report: completions, man page, examples.
///
/// # Errors
/// Fails where standard output can't be written.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes bytes to standard output as they are: a vendor's answer that somebody asked for untouched. On a terminal, which
/// keeps nothing, what would drive it is shown instead.
///
/// # Errors
/// Fails where standard output can't be written.
pub fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = stdout();
    if stdout_is_terminal() {
        out.write_all(sanitize::block(&String::from_utf8_lossy(bytes)).as_bytes())?;
        return out.flush();
    }
    out.write_all(bytes)?;
    out.flush()
}

/// Reads standard input to its end.
///
/// # Errors
/// Fails where it can't be read.
pub fn stdin_bytes() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Waits until nobody reads standard output any more: a reader of a pipe that ends is else only noticed by the next
/// write, which may never come. Where the system can't tell, it waits for ever.
pub async fn reader_gone() {
    #[cfg(unix)]
    {
        let (gone, told) = tokio::sync::oneshot::channel();
        // It blocks, so it gets a thread of its own, which ends with the process.
        std::thread::spawn(move || {
            if wait_for_hang_up() {
                let _ = gone.send(());
            }
        });
        if told.await.is_ok() {
            return;
        }
    }
    std::future::pending().await
}

#[cfg(unix)]
fn wait_for_hang_up() -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let out = io::stdout();
    loop {
        let mut watched = [PollFd::new(&out, PollFlags::empty())];
        match poll(&mut watched, None) {
            Ok(_) if watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) => return true,
            Err(rustix::io::Errno::INTR) => {}
            // Closed from the start, or nothing that hangs up.
            _ => return false,
        }
    }
}

/// Tells whether standard output is a terminal.
#[must_use]
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Tells whether what goes to standard output and to standard error is seen side by side, on a terminal.
#[must_use]
pub fn is_one_screen() -> bool {
    stdout_is_terminal() && io::stderr().is_terminal()
}

/// Gives the way to the size of the terminal, where standard output is one on which the cursor can be moved.
#[must_use]
pub fn screen() -> Option<Screen> {
    (stdout_is_terminal() && !is_dumb()).then_some(|| {
        let (height, width) = console::Term::stdout().size();
        (height.into(), width.into())
    })
}

/// Tells whether somebody can be asked: standard input and standard error are a terminal.
#[must_use]
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks yes or no on the terminal; anything but yes is no. May be dropped: an answer that comes later is none.
///
/// # Errors
/// Fails where the answer can't be read.
pub async fn confirm(question: &str) -> io::Result<bool> {
    let mut err = io::stderr();
    write!(err, "{} [y/N] ", sanitize::line(question))?;
    err.flush()?;
    let answer = aside(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    })
    .await?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Reads in a thread of its own, which ends with the process: who reads a terminal or a pipe can't be called off, and a
/// signal is to end what waits for it.
async fn aside<T: Send + 'static>(read: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let (answer, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Nobody is told where nobody waits any more.
        let _ = answer.send(read());
    });
    told.await.map_err(io::Error::other)?
}

/// Asks for a secret on the terminal, which does not show it. May be dropped: the terminal is left as it was.
async fn hidden(prompt: &str) -> io::Result<SecretString> {
    let prompt = sanitize::line(prompt).into_owned();
    #[cfg(unix)]
    {
        let _quiet = Quiet::begin()?;
        let mut err = io::stderr();
        err.write_all(prompt.as_bytes())?;
        err.flush()?;
        aside(read_secret).await
    }
    #[cfg(not(unix))]
    aside(move || rpassword::prompt_password(prompt).map(SecretString::from)).await
}

/// A terminal that does not show what is typed, until this is dropped. The line is still edited by the terminal, and its
/// keys still send signals.
#[cfg(unix)]
struct Quiet(rustix::termios::Termios);

#[cfg(unix)]
impl Quiet {
    fn begin() -> io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        // The end of the line is shown, so that what follows stands on its own.
        quiet.local_modes.insert(LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        // What was typed before the question is none of its answer.
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing.
        let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &self.0);
    }
}

/// Reads standard input to its end, line by line.
///
/// # Errors
/// Fails where it can't be read.
pub fn stdin_lines() -> io::Result<Vec<String>> {
    io::stdin().lines().collect()
}

/// The person at the terminal, or what comes by standard input instead.
#[derive(Debug, Default)]
pub struct Operator {
    /// Secrets that flags have announced to come by standard input.
    pub announced: Vec<Asked>,
    /// Whether prompts are forbidden (`--no-input`).
    pub no_input: bool,
    /// Whether notices are left out (`-q`).
    pub quiet: bool,
}

impl Operator {
    /// Makes one from the flags.
    #[must_use]
    pub fn new(announced: Vec<Asked>, no_input: bool, quiet: bool) -> Self {
        Self { announced, no_input, quiet }
    }
}

#[async_trait]
impl Person for Operator {
    fn tell(&self, text: &str) {
        if !self.quiet {
            tell(&sanitize::line(text));
        }
    }

    fn show_wait(&self, text: &str) -> Box<dyn Send> {
        let text = sanitize::line(text).into_owned();
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        if self.quiet || dumb || !io::stderr().is_terminal() {
            self.tell(&text);
            return Box::new(());
        }
        Box::new(Spinner::start(text))
    }

    async fn ask(&self, what: Asked, prompt: &str) -> Result<SecretString> {
        if self.announced.contains(&what) {
            // One secret a line, so that a password and a one-time password can come together.
            let secret = aside(read_secret)
                .await
                .map_err(|error| Error::usage(format!("standard input can't be read: {error}")))?;
            if secret.expose_secret().is_empty() {
                return Err(Error::usage("standard input was to hold a secret, but is empty"));
            }
            return Ok(secret);
        }
        if self.no_input || !can_ask() {
            let flag = match what {
                Asked::Password => "--password-stdin",
                Asked::Otp => "--otp-stdin",
                Asked::ApiKey => "--api-key-stdin",
            };
            return Err(Error::usage("a secret is needed and nobody can be asked here")
                .hint(format!("give it by standard input: {flag}")));
        }
        let secret =
            hidden(prompt).await.map_err(|error| Error::usage(format!("the terminal can't be read: {error}")))?;
        if secret.expose_secret().is_empty() {
            // Sent, it would count as a refused login.
            return Err(Error::usage("nothing was typed, so nothing was sent").hint("try once more"));
        }
        Ok(secret)
    }

    fn brings(&self, what: Asked) -> bool {
        self.announced.contains(&what)
    }
}

/// A spinner on standard error, which goes when it is dropped; its text stays, for it says what was asked of somebody.
struct Spinner {
    bar: ProgressBar,
    text: String,
}

impl Spinner {
    fn start(text: String) -> Self {
        let bar = ProgressBar::new_spinner().with_message(text.clone());
        bar.enable_steady_tick(SPIN);
        Self { bar, text }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        tell(&self.text);
    }
}

/// Reads one line byte by byte, so that a second secret stays in standard input; at the end of it, nothing.
fn read_secret() -> io::Result<SecretString> {
    let mut bytes = Vec::new();
    let mut stdin = io::stdin().lock();
    let mut byte = [0];
    while stdin.read(&mut byte)? == 1 && byte[0] != b'\n' {
        if bytes.len() == LONGEST_SECRET {
            return Err(io::Error::other(format!("a line of it is longer than {LONGEST_SECRET} bytes")));
        }
        bytes.push(byte[0]);
    }
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is no UTF-8"))?;
    Ok(SecretString::from(text.trim_end_matches('\r')))
}
