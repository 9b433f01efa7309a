//! inet-asm puts the messages of a packet capture back together.
#![warn(missing_docs)]

pub mod capture;
pub mod cli;
pub mod config;
pub mod context;
pub mod error;
pub mod ip;
pub mod link;
pub mod message;
pub mod pipeline;
pub mod report;
pub mod serial;
pub mod sink;
pub mod stats;
pub mod storage;
pub mod time;
pub mod transport;
