//! A table on a terminal that is drawn again in its place: one row a target, with the last that was seen of it.

use std::io::{self, Write};

use super::table::{self, Column};
use super::{Item, Renderer, Screen, Shape, field};
use crate::model::{Schema, Summary};

/// What else stands on the screen: the line of the cursor, below the table.
const CURSOR: usize = 1;

/// What is shown of a target.
struct Row {
    backend: String,
    /// Its id, or what it was called where it was not found; `None` is whatever the backend's one VPN is connected to, or
    /// a backend that can't be read.
    target: Option<String>,
    changed: u64,
    cells: Vec<String>,
}

/// Keeps a row for each target, and draws all of them again where one has changed.
pub(super) struct Board {
    columns: Vec<Column>,
    shape: Shape,
    screen: Screen,
    /// In the order in which they were first seen.
    rows: Vec<Row>,
    changes: u64,
    /// How many lines were drawn.
    drawn: usize,
}

impl Board {
    pub(super) fn new(schema: Schema, shape: Shape, screen: Screen) -> Self {
        let columns = table::columns_of(schema, &shape);
        Self { columns, shape, screen, rows: Vec::new(), changes: 0, drawn: 0 }
    }

    fn draw(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let size = (self.screen)();
        let lines = self.lines(size);
        if self.drawn > 0 {
            // Up to the first line of what was drawn, and away with it.
            write!(out, "\u{1b}[{}A\r\u{1b}[J", self.drawn)?;
        }
        for line in &lines {
            writeln!(out, "{line}")?;
        }
        self.drawn = lines.len();
        out.flush()
    }

    /// Gives what fits on the screen: a line that is wrapped, or one that has left it above, can't be drawn over.
    fn lines(&self, (height, width): (usize, usize)) -> Vec<String> {
        let header = usize::from(!self.shape.no_header);
        let room = height.saturating_sub(CURSOR + header).max(1);
        let mut shown: Vec<&Row> = self.rows.iter().collect();
        let mut more = 0;
        if shown.len() > room {
            // Where not all fit, those are shown that changed last, in their usual order.
            let fitting = room.saturating_sub(1);
            more = shown.len() - fitting;
            let mut changes: Vec<u64> = shown.iter().map(|row| row.changed).collect();
            changes.sort_unstable_by(|one, other| other.cmp(one));
            let oldest = fitting.checked_sub(1).and_then(|last| changes.get(last).copied());
            shown.retain(|row| oldest.is_some_and(|oldest| row.changed >= oldest));
        }
        let rows = shown.into_iter().map(|row| row.cells.clone()).collect();
        let mut lines = table::lines(&self.columns, &self.shape, rows);
        if more > 0 {
            lines.push(format!("… and {more} more"));
        }
        lines.into_iter().map(|line| console::truncate_str(&line, width.max(1), "…").into_owned()).collect()
    }

    /// Finds the row that an event is about, and takes away what it makes untrue.
    fn place(&mut self, item: &Item) -> Option<usize> {
        let text = |name: &str| field(item, name).as_str().map(str::to_owned);
        let backend = text("backend").unwrap_or_default();
        let target = text("target.id").or_else(|| text("error.target"));
        let own = |row: &Row| row.backend == backend;
        let Some(target) = target else {
            // All of the backend: what was there of it is no longer known, or no longer so.
            let first = self.rows.iter().position(own);
            let mut at = 0;
            self.rows.retain(|row| {
                at += 1;
                row.backend != backend || Some(at - 1) == first
            });
            return first;
        };
        let known = self.rows.iter().position(|row| own(row) && row.target.as_ref() == Some(&target));
        let whole = self.rows.iter().position(|row| own(row) && row.target.is_none());
        if known.is_some() || whole.is_some() {
            return known.or(whole);
        }
        // What changes and was not seen before is a VPN that has gone from one target to another.
        let only = self.rows.iter().filter(|row| own(row)).count() == 1 && !field(item, "from").is_null();
        if only { self.rows.iter().position(own) } else { None }
    }
}

impl Renderer for Board {
    fn item(&mut self, out: &mut dyn Write, item: Item) -> io::Result<()> {
        let place = self.place(&item);
        self.changes += 1;
        let text = |name: &str| field(&item, name).as_str().map(str::to_owned);
        let row = Row {
            backend: text("backend").unwrap_or_default(),
            target: text("target.id").or_else(|| text("error.target")),
            changed: self.changes,
            cells: table::row(&self.columns, &self.shape, &item),
        };
        match place.and_then(|at| self.rows.get_mut(at)) {
            Some(old) => *old = row,
            None => self.rows.push(row),
        }
        self.draw(out)
    }

    fn finish(&mut self, _out: &mut dyn Write, _summary: &Summary) -> io::Result<()> {
        // What was drawn last stays.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Board;
    use crate::model::threshold::Thresholds;
    use crate::model::{Schema, item};
    use crate::render::{Format, Item, Renderer as _, Shape};

    fn event(target: &str, state: &str) -> Item {
        item::object(json!({"backend": "b", "target": {"id": target, "name": target}, "state": state}))
    }

    fn board(screen: fn() -> (usize, usize)) -> Board {
        let fields = vec!["target.name".to_owned(), "state".to_owned()];
        let (color, no_header, pretty, thresholds) = (false, false, true, Thresholds::default());
        let shape = Shape { format: Format::Table, fields, no_header, color, pretty, thresholds };
        Board::new(Schema::Event, shape, screen)
    }

    fn written(board: &mut Board, event: Item) -> String {
        let mut out = Vec::new();
        board.item(&mut out, event).expect("a vector takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_change_is_drawn_over_what_was_there() {
        let mut board = board(|| (24, 80));
        assert_eq!(written(&mut board, event("one", "connected")), "TARGET.NAME  STATE\none          connected\n");
        let two = written(&mut board, event("two", "failed"));
        assert_eq!(two, "\u{1b}[2A\r\u{1b}[JTARGET.NAME  STATE\none          connected\ntwo          failed\n");
        let again = written(&mut board, event("one", "failed"));
        assert_eq!(again, "\u{1b}[3A\r\u{1b}[JTARGET.NAME  STATE\none          failed\ntwo          failed\n");
    }

    #[test]
    fn a_row_is_what_is_so_now() {
        let mut board = board(|| (24, 80));
        let mut shown = |event: Item| {
            written(&mut board, event);
            board.rows.iter().map(|row| row.target.clone().unwrap_or_default()).collect::<Vec<_>>()
        };
        let of = |backend: &str, target: Option<&str>, from: Option<&str>| {
            let target = target.map(|target| json!({"id": target, "name": target}));
            item::object(json!({"backend": backend, "target": target, "state": "x", "from": from}))
        };
        // One VPN: nothing, then one target, then another.
        assert_eq!(shown(of("one", None, None)), [""]);
        assert_eq!(shown(of("one", Some("x"), Some("disconnected"))), ["x"]);
        assert_eq!(shown(of("one", Some("y"), Some("connected"))), ["y"]);
        // An account: its devices, then it can't be read, then they come back.
        assert_eq!(shown(of("all", Some("a"), None)), ["y", "a"]);
        assert_eq!(shown(of("all", Some("b"), None)), ["y", "a", "b"]);
        assert_eq!(shown(of("all", None, None)), ["y", ""]);
        assert_eq!(shown(of("all", Some("b"), Some("unknown"))), ["y", "b"]);
        assert_eq!(shown(of("all", Some("a"), None)), ["y", "b", "a"]);
        // A name that was not found stands by itself.
        let lost = item::object(json!({"backend": "all", "target": null, "error": {"target": "nobody"}, "from": null}));
        assert_eq!(shown(lost), ["y", "b", "a", "nobody"]);
    }

    #[test]
    fn no_more_is_drawn_than_fits() {
        let mut board = board(|| (5, 12));
        for target in ["one", "two", "three", "four"] {
            written(&mut board, event(target, "connected"));
        }
        let drawn = written(&mut board, event("one", "failed"));
        let lines: Vec<&str> = drawn.split("[J").nth(1).expect("drawn again").lines().collect();
        assert_eq!(lines, ["TARGET.NAME…", "one        …", "four       …", "… and 2 more"]);
    }

    #[test]
    fn a_screen_of_no_size_breaks_nothing() {
        let mut board = board(|| (0, 0));
        for target in ["one", "two"] {
            assert!(!written(&mut board, event(target, "connected")).is_empty());
        }
    }
}
