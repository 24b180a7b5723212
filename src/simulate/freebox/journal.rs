//! The log of the VPN client.

use std::collections::VecDeque;
use std::time::Duration;

use super::clock::Clock;

/// How many lines the log keeps.
const LIMIT: usize = 500;

/// Keeps the lines of `vpn_client/log`, oldest first.
#[derive(Debug, Default)]
pub(super) struct Journal {
    lines: VecDeque<String>,
}

impl Journal {
    /// Writes a line in the documented shape, `DATE TIME level: daemon: sub: text` (vendor/freebox.md section 4.7).
    pub(super) fn write(&mut self, clock: &Clock, at: Duration, level: &str, text: &str) {
        if self.lines.len() == LIMIT {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{} {level}: vpn: client: {text}", clock.local(at)));
    }

    /// Drops the oldest lines, as a log that rotates does, until that many are left.
    pub(super) fn keep(&mut self, limit: usize) {
        let surplus = self.lines.len().saturating_sub(limit);
        self.lines.drain(..surplus);
    }

    /// Forgets all lines.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
    }

    /// Gives the log as one text, lines separated by newlines; `""` when it is empty.
    pub(super) fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}
