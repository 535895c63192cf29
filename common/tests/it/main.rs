//! What `common` does as a process.

mod watchdog;
