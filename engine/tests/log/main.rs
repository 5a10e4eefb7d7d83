//! The replay log and the receipt segments against a file system that crashes, tears, refuses and forgets.

#![expect(clippy::disallowed_methods, reason = "tests are sized by their environment")]

mod copy;
mod crash;
mod damage;
mod faults;
mod lifecycle;
mod receipts;
mod support;
