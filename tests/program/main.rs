//! The program as its users run it: the real binary, its output read by the real tshark, tcpdump and tcpflow.
//!
//! One program with a file for each subject: linked once, and the long tests of one run beside the short ones of another.
//! `cargo test --test program tcp::` runs those of one subject.

mod common;

mod agreement;
mod attacks;
mod balance;
mod choices;
mod chosen_files;
mod cli;
mod compressed;
mod counters;
mod crates;
mod datagrams;
mod dicom;
mod docs;
mod dump;
mod exchanges;
mod facts;
mod failures;
mod files;
mod har;
mod http2;
mod http_leniency;
mod inputs;
mod invariants;
mod json;
mod library;
mod limits;
mod links;
mod live;
mod mail;
mod octets;
mod operation;
mod outputs;
mod pair;
mod people;
mod pipe;
mod print;
mod programs;
mod protocols;
mod recovery;
mod recovery_protocols;
mod rtmp;
mod sctp;
mod sctp_captures;
mod shared;
mod skew;
mod smb;
mod sockets;
mod state;
mod switched_off;
mod tcp;
mod terminators;
mod tls;
mod trace;
mod track;
mod transfers;
mod tunnels;
mod websocket;
