//! The fault matrix: vendor × verb × fault → code, number of requests, and an end. What is expected is data, in
//! `rows.rs` and `exceptions.rs`; `UPDATE_DOCS=1 cargo test --test faults` writes it into `docs/faults.md`.

#![cfg(all(feature = "simulate", unix))]
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod bench;
#[path = "../shared/beside.rs"]
mod beside;
mod cell;
mod exceptions;
mod page;
mod rows;
mod strangers;
mod verbs;

use std::collections::VecDeque;
use std::sync::Mutex;

use cell::{Cell, Truth};

/// How many cells are played at once: most of their time they wait.
const AT_ONCE: usize = 24;

/// How many cells share a world, where they leave no trace in it.
const TOGETHER: usize = 10;

/// Sorts cells into those that are played in one world.
fn grouped(cells: Vec<Cell>) -> VecDeque<Vec<Cell>> {
    let mut groups: VecDeque<Vec<Cell>> = VecDeque::new();
    for cell in cells {
        match groups.back_mut() {
            Some(group)
                if cell.leaves_no_trace()
                    && group.len() < TOGETHER
                    && group.iter().all(|one| one.leaves_no_trace() && std::ptr::eq(one.verb, cell.verb)) =>
            {
                group.push(cell);
            }
            _ => groups.push_back(vec![cell]),
        }
    }
    // What waits longest begins first, so that nothing is left to be waited for alone.
    let waits = |group: &Vec<Cell>| group.iter().filter(|cell| cell.fault.passes || cell.fault.is_silence).count();
    groups.make_contiguous().sort_by_key(|group| std::cmp::Reverse(waits(group)));
    groups
}

/// Plays cells, and gives what differs from what is expected.
fn play(cells: Vec<Cell>) -> Vec<String> {
    let queue = Mutex::new(grouped(cells));
    let wrong = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap().pop_front();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(cells) = next() {
                    let told = std::panic::catch_unwind(|| Cell::play(&cells));
                    let told = told.unwrap_or_else(|_| vec![format!("{} could not be played", cells[0].title())]);
                    wrong.lock().unwrap().extend(told);
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}

#[test]
fn every_fault_ends_every_verb_with_the_truth_and_repeats_no_write() {
    let only = std::env::var("VPNCTL_TEST_CELL").unwrap_or_default();
    let cells = Cell::all().filter(|cell| matches!(cell.truth(), Truth::Told { .. }));
    let cells: Vec<Cell> = cells.filter(|cell| cell.title().contains(&only)).collect();
    let count = cells.len();
    let mut wrong = play(cells);
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {count} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_exception_is_of_a_cell_and_says_something_else() {
    for exception in exceptions::all() {
        let cells: Vec<Cell> = Cell::all().filter(|cell| exception.is_of(cell)).collect();
        assert!(!cells.is_empty(), "no cell is meant by {exception:?}");
        assert!(!exception.why.is_empty(), "{exception:?}");
    }
}

#[test]
fn the_page_of_faults_shows_the_matrix_and_no_cell_is_empty() {
    page::held();
}
