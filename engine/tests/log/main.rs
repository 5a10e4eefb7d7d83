//! The replay log and the receipt segments against a file system that crashes, tears, refuses and forgets.

mod crash;
mod damage;
mod faults;
mod lifecycle;
mod receipts;
mod support;
