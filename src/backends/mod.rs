//! One module per vendor, with the same file names in each: who knows one knows all.

mod attempts;
pub mod everyware;
pub mod freebox;
pub mod ixon;
mod shared;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
