//! The shift on the floor: what its minutes and alerts amount to, kept and served. When a shift begins and ends is
//! [`common::shift`]'s to say, so that headquarters means the same by it.

pub mod api;
pub mod figures;
pub mod summary;

pub use common::shift::{Occurrence, Shift, Stretch, at, previous};
