//! Plain data that every vendor speaks: targets, states, items of output.

pub mod capability;
pub mod document;
pub mod found;
pub mod item;
pub mod login;
pub mod status;
pub mod threshold;

pub use capability::{Capabilities, Support};
pub use found::Found;
pub use item::{Schema, Summary};
pub use login::LoginState;
pub use status::{Failure, LastError, Link, Network, Source, State, Status, Target, TargetKind, Traffic, Word};
