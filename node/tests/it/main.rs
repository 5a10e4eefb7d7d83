//! The command as a user runs it: the built binary, its streams, exit codes and files.

mod command;
mod compiler;
mod config;
mod contract_verbs;
mod damage;
mod doctor;
mod equivalence;
mod interrupt;
mod misuse;
mod reports;
mod run;
mod serve;
mod workload;
