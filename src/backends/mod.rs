//! One module per vendor, with the same file names in each: who knows one knows all.

pub mod everyware;
pub mod freebox;
pub mod ixon;
mod shared;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
