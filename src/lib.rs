//! inet-asm puts the messages of a packet capture back together.
#![warn(missing_docs)]

pub mod capture;
pub mod config;
pub mod context;
pub mod error;
pub mod ip;
pub mod link;
pub mod message;
pub mod serial;
pub mod stats;
pub mod storage;
pub mod time;
pub mod transport;
