//! The whole program over captures that are damaged in any way, with all outputs and settings that few use. It ends with 0, or
//! with 2 for what is no capture; what it wrote is read again.
//!
//! Input: which settings (1 octet), then the capture.
#![no_main]

use inet_asm::capture::Stop;
use inet_asm::cli::{self, Invocation, Signals};
use libfuzzer_sys::fuzz_target;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

const SETTINGS: [&str; 8] = [
    "",
    "--format pcapng --track --info --handshake --fill-gaps --keep-secrets",
    "--tcp-buffer 536 --tcp-holes 1 --max-gap 536 --reorder-window 0,0,0 --look-behind 0,0 --max-file 1 --max-connections 1",
    "--max-gap 1073741823 --session-timeout 1000000h --reorder-window 4294967295,1000000h,1000000h --look-behind 1000,1000000h",
    "--decapsulate all --vlan separate --checksums verify --encap pdu",
    "--wait-ack --overlap last --checksums ignore --large snap --max-message 700 --json-body text",
    "--sort-queue 5 --sort-delay 1s --store-fragments --track-missing-chunks --json-body base64 --vlan first",
    "--framer mine,tcp.port==1-65535,len@0:u16be+2 --disable udp --large jumbo --timestamps original",
];

fn run(args: impl Iterator<Item = OsString>) -> u8 {
    let args = std::iter::once(OsString::from("inet-asm")).chain(args);
    match cli::parse(args, false) {
        Ok(Invocation::Run(config)) => {
            let (stop, _wish) = Stop::new().expect("a pair of sockets");
            cli::run(&config, Signals::none(stop))
        }
        Ok(_) => panic!("the settings run"),
        Err(why) => panic!("the settings are taken: {why}"),
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, capture)) = input.split_first() else {
        return;
    };
    // In memory, where that is to be had: all that is written is dropped.
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let Ok(dir) = dir else { return };
    let at = |name: &str| dir.path().join(name).into_os_string();
    if fs::write(at("in"), capture).is_err() {
        return;
    }
    let mut args: Vec<OsString> = vec!["-q".into(), "--hash".into()];
    for (option, name) in [
        ("-w", "packets"),
        ("--dump", "streams"),
        ("-x", "files"),
        ("--dropped", "dropped"),
        ("--bypass", "bypass"),
    ] {
        args.extend([option.into(), at(name)]);
    }
    let mut json = OsString::from("--json=");
    json.push(at("json"));
    args.push(json);
    let settings = SETTINGS[usize::from(*choice) % SETTINGS.len()];
    args.extend(settings.split_whitespace().map(OsString::from));
    args.push(at("in"));
    let status = run(args.into_iter());
    assert!(matches!(status, 0 | 2), "status {status}");
    if status == 0 {
        for name in ["packets", "dropped", "bypass"] {
            let again = run(["-q".into(), "-n".into(), at(name)].into_iter());
            assert_eq!(again, 0, "{name} reads back");
        }
    }
});
