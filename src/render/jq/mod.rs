//! The filter of `--jq`. It runs in a thread of its own, which writes what it gives: whatever a filter does (it may never
//! end, or wait for a reader that reads no more), the command still sees signals and deadlines, and ends without it.

mod filters;
mod output;

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;

use jaq_core::data::HasLut;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, DataT, Lut, Vars};
use jaq_json::Val;
use tokio::sync::oneshot;

use crate::error::Error;

pub use filters::MISSING;

/// The stack of a filter's thread, in bytes. Only what is used of it costs memory; a system that gives no such address
/// space gives a part of it.
const STACKS: [usize; 3] = [1 << 30, 1 << 28, 1 << 25];

/// The longest expression, in bytes: deep nesting needs length, and none that a person writes comes near.
const LONGEST: usize = 1 << 16;

/// The longest part of a value that an error's message repeats, in characters.
const SHOWN: usize = 200;

/// Says why a filter came to no good end.
#[derive(Debug)]
pub enum Trouble {
    /// The expression, or what it was given, is wrong.
    Filter(Error),
    /// Its output can't be written.
    Output(io::Error),
}

/// A filter that waits for documents, or works on them.
#[derive(Debug)]
pub struct Filter {
    documents: mpsc::Sender<Vec<u8>>,
    end: oneshot::Receiver<Result<(), Trouble>>,
}

impl Filter {
    /// Compiles an expression; what it gives later goes to `out`, objects indented where that is `pretty`.
    ///
    /// # Errors
    /// Fails with a usage error that says where, if the expression is none.
    pub fn start(expression: &str, out: impl Write + Send + 'static, pretty: bool) -> Result<Self, Error> {
        if expression.len() > LONGEST {
            return Err(Error::usage(format!("the expression of --jq is longer than {LONGEST} bytes")));
        }
        // As jq takes it: what says nothing changes nothing.
        let expression = if expression.trim().is_empty() { "." } else { expression };
        let (documents, fed) = mpsc::channel();
        let (compiled, told) = mpsc::channel();
        let (finished, end) = oneshot::channel();
        let work = Work { expression: expression.to_owned(), out: Box::new(out), pretty, fed, compiled, finished };
        work.start().map_err(|error| Error::usage(format!("no thread can be started for --jq: {error}")))?;
        match told.recv() {
            Ok(Ok(())) => Ok(Self { documents, end }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(too_deep()),
        }
    }

    /// Gives what documents are written into; with `lines` each flush ends one, else the end does.
    #[must_use]
    pub fn feed(&self, lines: bool) -> Feed {
        Feed { documents: self.documents.clone(), kept: Vec::new(), lines }
    }

    /// Waits until it has failed; one that goes well is waited for for ever.
    pub async fn failure(&mut self) -> Trouble {
        match (&mut self.end).await {
            Ok(Err(trouble)) => trouble,
            _ => std::future::pending().await,
        }
    }

    /// Waits until it is through with all documents.
    ///
    /// # Errors
    /// Fails where the filter does, or its output can't be written.
    pub async fn end(self) -> Result<(), Trouble> {
        let Self { documents, end } = self;
        drop(documents);
        end.await.unwrap_or_else(|_| Err(Trouble::Filter(too_deep())))
    }
}

fn too_deep() -> Error {
    Error::usage("the expression of --jq goes too deep").hint("recur less deeply, or at the end of a definition only")
}

/// Takes documents for a filter.
#[derive(Debug)]
pub struct Feed {
    documents: mpsc::Sender<Vec<u8>>,
    kept: Vec<u8>,
    lines: bool,
}

impl Feed {
    fn hand_over(&mut self) {
        if !self.kept.is_empty() {
            // A filter that is gone has said why.
            let _ = self.documents.send(std::mem::take(&mut self.kept));
        }
    }
}

impl Write for Feed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.kept.extend_from_slice(bytes);
        // A line is filtered by itself; within one no line ends, for JSON escapes that.
        if self.lines && bytes.ends_with(b"\n") {
            self.hand_over();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.hand_over();
    }
}

/// What a filter's thread does.
struct Work {
    expression: String,
    out: Box<dyn Write + Send>,
    pretty: bool,
    fed: mpsc::Receiver<Vec<u8>>,
    compiled: mpsc::Sender<Result<(), Error>>,
    finished: oneshot::Sender<Result<(), Trouble>>,
}

impl Work {
    /// Starts a thread with the largest stack that there is.
    fn start(self) -> io::Result<()> {
        let mut failed = None;
        for stack in STACKS {
            // A thread that can't be started drops what it was given, so it is given the work when it is there.
            let (hand_over, given) = mpsc::channel::<Self>();
            let run = move || given.recv().map_or((), |work| work.run(stack));
            match thread::Builder::new().name("jq".to_owned()).stack_size(stack).spawn(run) {
                Ok(_) => return hand_over.send(self).map_err(|_| io::ErrorKind::BrokenPipe.into()),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| io::ErrorKind::OutOfMemory.into()))
    }

    fn run(self, stack: usize) {
        let arena = Arena::default();
        let filter = match compile(&arena, &self.expression) {
            Ok(filter) => filter,
            Err(error) => return drop(self.compiled.send(Err(error))),
        };
        let _ = self.compiled.send(Ok(()));
        let here = 0_u8;
        let bounds = Bounds {
            top: std::ptr::from_ref(&here).addr(),
            // The rest is for what goes on below without asking: comparing, dropping, reading.
            most: stack / 2,
            out: RefCell::new(self.out),
            finished: RefCell::new(Some(self.finished)),
        };
        let mut end = Ok(());
        while let Ok(document) = self.fed.recv() {
            end = bounds.filter(&filter, &document, self.pretty);
            if end.is_err() {
                break;
            }
        }
        bounds.finish(end);
        // What is left is dropped with the process: a value may be nested deeper than a stack can unwind.
        std::mem::forget(bounds);
    }
}

/// The kinds of data that filters work on here.
pub(super) struct Kind;

impl DataT for Kind {
    type V<'a> = Val;
    type Data<'a> = Data<'a>;
}

#[derive(Clone)]
pub(super) struct Data<'a> {
    table: &'a Lut<Kind>,
    bounds: &'a Bounds,
}

impl<'a> HasLut<'a, Kind> for Data<'a> {
    /// Gives the table of terms; asked for before each step, so this is where one is noticed that goes too deep.
    fn lut(&self) -> &'a Lut<Kind> {
        self.bounds.check();
        self.table
    }
}

/// How far a filter may go, and where it tells what came of it.
struct Bounds {
    top: usize,
    most: usize,
    out: RefCell<Box<dyn Write + Send>>,
    finished: RefCell<Option<oneshot::Sender<Result<(), Trouble>>>>,
}

impl Bounds {
    /// Stops the thread for good where its stack comes to an end: a step can't fail, and an overflow would end the
    /// process. The command goes on with the error.
    fn check(&self) {
        let here = 0_u8;
        if self.top.abs_diff(std::ptr::from_ref(&here).addr()) > self.most {
            self.finish(Err(Trouble::Filter(too_deep())));
            loop {
                thread::park();
            }
        }
    }

    fn finish(&self, mut end: Result<(), Trouble>) {
        if let Ok(mut out) = self.out.try_borrow_mut()
            && let Err(error) = out.flush()
            && end.is_ok()
        {
            end = Err(Trouble::Output(error));
        }
        if let Some(finished) = self.finished.borrow_mut().take() {
            let _ = finished.send(end);
        }
    }

    /// Runs the filter on one document.
    fn filter(&self, filter: &jaq_core::Filter<Kind>, document: &[u8], pretty: bool) -> Result<(), Trouble> {
        let wrong = |text: String| Trouble::Filter(Error::usage(text));
        let input: Val = serde_json::from_slice(document)
            .map_err(|error| wrong(format!("--jq works on JSON, and this is none: {error}")))?;
        let nothing = Val::obj(jaq_json::Map::default());
        let context = Ctx::<Kind>::new(Data { table: &filter.lut, bounds: self }, Vars::new([nothing]));
        for value in filter.id.run((context, input)) {
            let value = value.map_err(|exception| wrong(failure(exception)))?;
            let line = output::line(&value, pretty).map_err(wrong)?;
            std::mem::forget(value);
            self.out.borrow_mut().write_all(line.as_bytes()).map_err(Trouble::Output)?;
        }
        self.out.borrow_mut().flush().map_err(Trouble::Output)
    }
}

/// Says what went wrong while a filter ran.
fn failure(exception: jaq_core::Exn<'_, Val>) -> String {
    let Ok(error) = exception.get_err() else { return "the filter of --jq broke off".to_owned() };
    let text = match error.into_val() {
        Val::TStr(text) | Val::BStr(text) => String::from_utf8_lossy(&text).into_owned(),
        Val::Null => "null".to_owned(),
        value => value.to_string(),
    };
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("the filter of --jq failed: {shown}")
}

fn compile<'s>(arena: &'s Arena, expression: &'s str) -> Result<jaq_core::Filter<Kind>, Error> {
    let loader = Loader::new(filters::definitions());
    let modules =
        loader.load(arena, File { code: expression, path: () }).map_err(|errors| unloaded(expression, &errors))?;
    let compiler = Compiler::default().with_funs(filters::natives()).with_global_vars(["$ENV"]);
    compiler.compile(modules).map_err(|errors| {
        let (part, what) = errors
            .iter()
            .flat_map(|(_, errors)| errors)
            .next()
            .map_or(("", "part"), |(part, undefined)| (*part, undefined.as_str()));
        wrong(expression, part, &format!("there is no {what} `{part}`"))
    })
}

fn unloaded(expression: &str, errors: &jaq_core::load::Errors<&str, ()>) -> Error {
    use jaq_core::load::Error as Load;
    match errors.iter().map(|(_, error)| error).next() {
        Some(Load::Lex(errors)) => errors.first().map(|(expected, found)| (expected.as_str(), *found)),
        Some(Load::Parse(errors)) => errors.first().map(|(expected, found)| (expected.as_str(), *found)),
        Some(Load::Io(errors)) => {
            return wrong(expression, errors.first().map_or("", |(path, _)| path), "modules can't be loaded here");
        }
        None => None,
    }
    .map_or_else(
        || wrong(expression, "", "it can't be read"),
        |(expected, found)| {
            let found_text: String = found.chars().take(20).collect();
            let instead = if found.is_empty() { "its end".to_owned() } else { format!("`{found_text}`") };
            wrong(expression, found, &format!("{expected} expected, and here is {instead}"))
        },
    )
}

/// Makes the error of an expression that is wrong at one of its parts.
fn wrong(expression: &str, part: &str, why: &str) -> Error {
    let offset = part.as_ptr().addr().checked_sub(expression.as_ptr().addr());
    let at = offset.filter(|at| !part.is_empty() && *at <= expression.len()).unwrap_or(expression.len());
    let character = expression.get(..at).map_or(0, |before| before.chars().count()) + 1;
    Error::usage(format!("the expression of --jq is wrong at character {character}: {why}"))
        .hint("which filters there are not: vpnctl help formats")
}
