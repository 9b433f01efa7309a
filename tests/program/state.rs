//! What waits can be written out between any two packets and read back, and the output goes on unchanged.

use crate::common;
use crate::common::build::{ACK, FIN, PSH, Pcap, behind, body, get, response};
use inet_asm::assembler::{Assembler, State};
use inet_asm::base::limits::Limits;
use inet_asm::base::packet::{LinkType, Packet};
use inet_asm::base::time::Timestamp;
use inet_asm::sink::{Outputs, PacketOptions};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// A file in memory that the outputs of several engines write to.
#[derive(Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl Write for File {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("one thread").extend(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl File {
    fn octets(&self) -> Vec<u8> {
        self.0.lock().expect("one thread").clone()
    }
}

fn outputs(file: &File, link_type: u32) -> Outputs {
    let mut outputs = Outputs::new();
    // What an output has written is no part of the state: `--timestamps monotone` begins anew.
    let options = PacketOptions {
        original_times: true,
        ..PacketOptions::default()
    };
    outputs.packets("test", Box::new(file.clone()), options);
    outputs.begin(LinkType(u16::try_from(link_type).expect("16 bits")), false);
    outputs
}

/// The output of a capture; with `cut`, the state is written out behind so many packets, and another engine with other
/// outputs reads it and goes on.
fn through(capture: &[u8], cut: Option<usize>) -> Vec<u8> {
    let (link_type, records) = common::pcap(capture);
    let files = [File::default(), File::default()];
    let mut engine = Assembler::new(Limits::default(), outputs(&files[0], link_type));
    for (i, record) in records.iter().enumerate() {
        if cut == Some(i) {
            let state = postcard::to_stdvec(engine.state()).expect("plain data");
            assert!(engine.sink().flush().expect("memory").is_continue());
            let state: State<_> = postcard::from_bytes(&state).expect("plain data");
            engine = Assembler::resume(state, outputs(&files[1], link_type));
        }
        engine.packet(&Packet {
            frame: i as u64 + 1,
            time: Timestamp::from_nanos(record.time),
            interface: 0,
            link_type: LinkType(u16::try_from(link_type).expect("16 bits")),
            data: record.data,
            orig_len: record.original,
            fcs_len: None,
            flags: 0,
        });
    }
    engine.flush();
    assert!(engine.sink().flush().expect("memory").is_continue());
    let mut all = files[0].octets();
    // The second file has a header of its own.
    all.extend(files[1].octets().get(24..).unwrap_or_default());
    all
}

#[track_caller]
fn goes_on(name: &str, capture: &[u8]) {
    let whole = through(capture, None);
    assert!(whole.len() > 24, "{name}: no messages");
    for cut in 0..common::pcap(capture).1.len() {
        assert!(
            through(capture, Some(cut)) == whole,
            "{name}: written out and read back behind packet {cut}, the output differs"
        );
    }
}

#[test]
fn at_every_packet_of_small_captures() {
    for name in [
        "http-keepalive.pcap",
        "http-chunked.pcap",
        "http-pipelined.pcap",
        "http-head.pcap",
        "http-close.pcap",
        "http-swapped.pcap",
        "http-lost.pcap",
        "http-lost-message.pcap",
        "http-cut-start.pcap",
        "http-snapped.pcap",
        "http-qinq.pcap",
        "dns-tcp.pcap",
        "dns-udp.pcap",
    ] {
        goes_on(name, &common::read(&common::testdata(name)));
    }
}

#[test]
fn with_a_hole_half_a_message_and_half_a_header() {
    let (answer, next) = (response(&body(3000)), response(b"next"));
    let request = get("/a");
    let mut pcap = Pcap::new();
    pcap.open(100, 500);
    // Half a header, then the rest; a request of which the second half waits behind a hole.
    pcap.client(101, 501, ACK, &request[..9]).client(
        behind(101, &request[..9]),
        501,
        ACK | PSH,
        &request[9..],
    );
    let asked = behind(101, &request);
    let second = get("/b");
    pcap.server(501, asked, ACK, &answer[..20])
        .server(behind(501, &answer[..20]), asked, ACK, &answer[20..1000])
        .server(behind(501, &answer[..2000]), asked, ACK, &answer[2000..])
        .client(
            behind(asked, &second[..5]),
            behind(501, &answer),
            ACK,
            &second[5..],
        )
        .server(
            behind(501, &answer[..1000]),
            asked,
            ACK,
            &answer[1000..2000],
        )
        .client(asked, behind(501, &answer), ACK, &second[..5])
        .server(
            behind(501, &answer),
            behind(asked, &second),
            ACK | PSH | FIN,
            &next,
        );
    goes_on("made", &pcap.file);
}
