//! Runs that nobody looks at: counters over time, silence, configuration.

use crate::common::build::{ACK, PSH, Pcap, SYN, body, get, response};
use crate::common::{self, Live, contains, counter, run, testdata};
use std::fs;
use std::path::Path;

/// The columns of a file of counters, and its rows.
fn rows(path: &Path) -> (Vec<String>, Vec<Vec<u64>>) {
    let text = fs::read_to_string(path).expect("read");
    let mut lines = text.lines();
    let names = lines.next().expect("a header").split(',');
    let number = |text: &str| text.parse().expect("a number");
    let numbers = |line: &str| line.split(',').map(number).collect();
    (
        names.map(str::to_owned).collect(),
        lines.map(numbers).collect(),
    )
}

/// A request and its answer each minute.
fn minutes(count: u32) -> Vec<u8> {
    let mut pcap = Pcap::new();
    pcap.open(100, 500);
    let (mut client, mut server) = (101, 501);
    for _ in 0..count {
        let (request, answer) = (get("/"), response(&body(100)));
        pcap.client(client, server, ACK | PSH, &request);
        client += u32::try_from(request.len()).expect("short");
        pcap.server(server, client, ACK | PSH, &answer);
        server += u32::try_from(answer.len()).expect("short");
        pcap.wait(60_000);
    }
    pcap.file.clone()
}

#[test]
fn counters_are_written_for_each_period() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("counters.csv");
    let to = path.to_str().expect("UTF-8");
    let capture = minutes(10);
    let args = [
        "-n",
        "-s=all",
        "--counters-file",
        to,
        "--counters-period",
        "3m",
    ];
    let done = run(args, &capture);
    let (names, all) = rows(&path);
    let column = |name: &str| names.iter().position(|n| n == name).expect("a column");
    let values = |name: &str| all.iter().map(|row| row[column(name)]).collect::<Vec<_>>();
    assert_eq!(all.len(), 4, "{all:?}");
    // The last row says what -s does.
    for (name, value) in names.iter().zip(all.last().expect("a row")).skip(2) {
        if let Some(known) = common::find_counter(&done.stderr, name) {
            assert_eq!(*value, known, "{name}");
        }
    }
    // What ends a period is in none of its counters.
    assert_eq!(values("input.packets"), values("link.packets"));
    assert_eq!(values("message.messages"), [6, 12, 18, 20]);
    assert!(values("period_start").is_sorted());
    assert_eq!(counter(&done.stderr, "message.messages"), 20);
    // Sorted packets are counted too, and the file is continued: each row of its period alone.
    let args = [&args[..], &["--counters-clear", "--sort-delay", "1s"]].concat();
    run(&args, &capture).code(0);
    let (_, all) = rows(&path);
    let seen: Vec<_> = all
        .iter()
        .map(|row| row[column("message.messages")])
        .collect();
    assert_eq!(seen, [6, 12, 18, 20, 6, 6, 6, 2]);
    let sum: u64 = all[4..].iter().map(|row| row[column("tcp.segments")]).sum();
    assert_eq!(sum, counter(&done.stderr, "tcp.segments"));
    // Counters begin anew behind each row.
    let cleared = run(
        [&args[..], &["--fail-if", "message.messages > 2"]].concat(),
        &capture,
    );
    cleared.code(0);
    assert_eq!(counter(&cleared.stderr, "message.messages"), 2);
}

/// Rows go by the timestamps of the capture, however long nothing was captured; a row that was cut stays in a line of its own.
#[test]
fn rows_go_on_behind_a_silence_and_behind_a_cut_row() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("counters.csv");
    let to = path.to_str().expect("UTF-8");
    let mut pcap = Pcap::new();
    let datagram = |pcap: &mut Pcap, count: u32, wait| {
        for _ in 0..count {
            let [from, to] = [1, 2].map(|n| (std::net::Ipv4Addr::new(10, 0, 0, n), 5000));
            pcap.datagram(from, to, b"datagram");
            pcap.wait(wait);
        }
    };
    datagram(&mut pcap, 10, 30_000);
    pcap.wait(3_700_000);
    datagram(&mut pcap, 25, 30_000);
    let args = ["-n", "--counters-clear", "--counters-file", to];
    let args = [&args[..], &["--counters-period", "5m"]].concat();
    run(&args, &pcap.file).code(0);
    let (names, all) = rows(&path);
    let column = names.iter().position(|n| n == "input.packets");
    let packets: Vec<_> = all.iter().map(|row| row[column.expect("there")]).collect();
    assert_eq!((packets[0], packets.iter().sum()), (10, 35), "{packets:?}");
    // A row for each period: each begins where the one before has ended.
    assert!(
        packets.len() == 16 && packets.iter().all(|n| *n <= 10),
        "{packets:?}"
    );
    assert!(
        all.windows(2).all(|rows| rows[0][1] == rows[1][0]),
        "{all:?}"
    );
    assert_eq!(packets[2..12], [0; 10]);
    let whole = fs::read_to_string(&path).expect("read");
    fs::write(&path, &whole[..whole.len() - 5]).expect("written");
    let done = run(&args, &pcap.file);
    assert!(done.stderr.contains("is cut short"), "{}", done.stderr);
    let lines = fs::read_to_string(&path).expect("read").lines().count();
    assert_eq!(lines, 1 + 2 * all.len());
    done.code(0);
    // A year without packets has one row.
    fs::remove_file(&path).expect("removed");
    let before = all.len();
    pcap.wait(365 * 24 * 3_600_000);
    datagram(&mut pcap, 1, 0);
    run(&args, &pcap.file).code(0);
    let (_, all) = rows(&path);
    assert_eq!(all.len(), before + 2);
    assert!(all[before][1] - all[before][0] > 364 * 24 * 3600);
    assert!(
        all.windows(2).all(|rows| rows[0][1] == rows[1][0]),
        "{all:?}"
    );
}

/// What a file of configuration asks for beside what is there.
#[test]
fn a_file_tells_the_line_of_what_it_cannot_have() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("x.ini");
    let ini = path.to_str().expect("UTF-8");
    let capture = fs::read(testdata("dns-udp.pcap")).expect("read");
    for history in ["", "HistoryFile=\n", "HistoryPeriod=2\nHistoryFile=\n"] {
        fs::write(&path, format!("[Counters]\nClearOnWrite=1\n{history}")).expect("written");
        let done = run(["-p", "--config", ini], &capture);
        let words = "x.ini: line 2: does nothing here";
        assert!(done.stderr.contains(words), "{}", done.stderr);
        done.code(0);
    }
    // The command line may name the file.
    let to = dir.path().join("c.csv");
    let to = to.to_str().expect("UTF-8");
    let done = run(["-n", "--config", ini, "--counters-file", to], &capture);
    assert!(!done.stderr.contains("does nothing"), "{}", done.stderr);
    let lines = "[Observation]\nfail-if = input.packets > 1000\nfail-if = foo.bar > 1\n";
    fs::write(&path, lines).expect("written");
    let done = run(["-n", "--config", ini], &capture);
    assert!(
        done.stderr.contains("x.ini: line 3: fail-if foo.bar > 1: "),
        "{}",
        done.stderr
    );
    done.code(2);
    // Saved and read back it is the same.
    let saved = run(["-v", "-v", "-v", "--save-config"], b"").text();
    assert!(saved.contains("verbose = 2\n"), "{saved}");
    fs::write(&path, &saved).expect("written");
    assert_eq!(run(["--config", ini, "--save-config"], b"").text(), saved);
}

#[test]
fn a_file_of_other_counters_is_not_continued() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("counters.csv");
    fs::write(&path, "period_start,tcp.what\n1,2\n").expect("written");
    let to = path.to_str().expect("UTF-8");
    let capture = fs::read(testdata("dns-udp.pcap")).expect("read");
    let done = run(["-n", "--counters-file", to], &capture);
    done.code(0);
    assert!(done.stderr.contains("counters-1.csv"), "{}", done.stderr);
    assert_eq!(rows(&dir.path().join("counters-1.csv")).1.len(), 1);
    assert_eq!(rows(&path).1, [[1, 2]]);
    for (args, words) in [
        (&["--counters-file", "/nowhere/x"][..], "cannot open"),
        (&["--counters-clear"], "--counters-file"),
        (&["--counters-period", "10ms"], "a second at least"),
        (&["--counters-file", "/dev/full"], "cannot write"),
    ] {
        let done = run([&["-n"], args].concat(), &capture);
        assert!(done.stderr.contains(words), "{args:?}: {}", done.stderr);
        done.code(2);
    }
}

/// One direction alone, so that nobody says what arrived: a request, a hole, another request, and then nothing any more.
fn quiet_with_a_hole() -> (Vec<u8>, Vec<u8>) {
    let mut pcap = Pcap::new();
    pcap.client(100, 0, SYN, b"");
    let (first, second) = (get("/first"), get("/second"));
    pcap.client(101, 501, ACK | PSH, &first);
    pcap.client(101 + 10_000, 501, ACK | PSH, &second);
    (pcap.file.clone(), second)
}

/// Nobody acknowledges it and no packet follows: only silence can say that the hole stays.
#[test]
fn silence_counts_where_a_capture_is_live() {
    let (capture, second) = quiet_with_a_hole();
    let dir = tempfile::tempdir().expect("a folder");
    for (i, sort) in [&[][..], &["--sort-delay", "100ms"]]
        .into_iter()
        .enumerate()
    {
        let path = dir.path().join(i.to_string());
        let to = path.to_str().expect("UTF-8");
        let args = ["--counters-file", to, "--counters-period", "1s"];
        let live = ["--live", "--tcp-packet-timeout", "200ms"];
        let mut live = Live::start(&[&args[..], &live, sort].concat());
        live.write(&capture);
        live.until("what stands behind the hole", |out| contains(out, &second));
        // Periods end too: with packets, and without.
        let begin = std::time::Instant::now();
        while fs::read_to_string(&path).expect("there").lines().count() < 3 - i {
            assert!(begin.elapsed() < common::DEADLINE, "no row");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let (names, all) = rows(&path);
        let of = |row: usize, name: &str| {
            all[row][names.iter().position(|n| n == name).expect("a column")]
        };
        assert_eq!(of(0, "input.packets"), 3);
        assert_eq!(of(0, "message.messages"), 2);
        assert!(all.iter().all(|row| row[1] - row[0] == 1));
        assert!(live.is_running());
        live.close();
        live.end().code(0);
    }
    // A file, and a pipe that ends, give the same with and without it.
    let at = |args: &[&str]| run(args, &capture).ok();
    assert!(at(&["--live"]) == at(&[]));
}

/// An INetReassembler.ini that has every entry.
const OTHER: &str = "\
; written by another program
[Counters]
ClearOnWrite=1
HistoryFile=DIR/history.csv
HistoryPeriod=2
[INetReassembler]
BypassInput=0
DebugInfo=0
SendEventsOnDuplicates=1
TrackPayload=0
[IPReassembler]
MaxActivePackets=5000
PacketTimeOutMSec=1500
StoreFragmentsTillTimeout=true
VerifyChecksums=1
[Input]
RestoreChannels=1
SortingQueueDelay=100
SortingQueueLength=1000
StoragePointerFilePath=
SynchronizedIO=1
First Channel=file:DIR/in.pcap
[Log]
LogDetailLevel=0
LogFilesPath=C:\\Logs
[Output]
RestoreChannels=yes
SortingQueueDelay=0
SortingQueueLength=0
StoragePointerFilePath=pointer.txt
SynchronizedIO=0
Second=DIR/out.pcap
[RemoteUI]
TCPHost=127.0.0.1
TCPPort=7000
[SCTPReassembler]
CollectStreamStats=0
Enabled=0
LookBehindOnStartUp=32
MaxActivePackets=5000
PacketTimeOutMSec=2500
SctpInfoOnOutput=0
StatsCsvPath=
StatsSuperMonPath=
StreamTimeOutSec=600
TrackMissingChunks=0
VerifyChecksums=1
WaitForAck=0
[State]
AutoStart=1
StateFile=DIR/state.bin
[TCPReassembler]
Enabled=1
LookBehindOnStartUp=32
MaxActivePackets=5000
PacketTimeOutMSec=2500
SessionTimeOutSec=600
TcpInfoOnOutput=0
VerifyChecksums=0
[UDPReassembler]
Enabled=1
VerifyChecksums=0
";

#[test]
fn a_configuration_of_another_program_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name);
    let folder = dir.path().to_str().expect("UTF-8");
    fs::write(at("in.pcap"), minutes(10)).expect("written");
    fs::write(at("other.ini"), OTHER.replace("DIR", folder)).expect("written");
    let ini = at("other.ini");
    let ini = ini.to_str().expect("UTF-8");
    let done = run(["--config", ini], b"");
    for (line, words) in [
        (9, "copies are counted"),
        (25, "log-file"),
        (30, "SIGHUP"),
        (31, "synchronized"),
        (34, "SIGUSR1"),
        (50, "begins to read"),
    ] {
        let told = |l: &str| l.contains(&format!("other.ini: line {line}: ")) && l.contains(words);
        assert!(done.stderr.lines().any(told), "{line}: {}", done.stderr);
    }
    assert_eq!(
        done.stderr
            .lines()
            .filter(|l| l.contains("other.ini: line"))
            .count(),
        6
    );
    done.code(0);
    // What waits is kept, until a run gives it up.
    let (capture, rest) = (fs::read(at("in.pcap")).expect("read"), at("rest.pcap"));
    let (rest, state) = (rest.to_str().expect("UTF-8"), at("state.bin"));
    let state = state.to_str().expect("UTF-8");
    let args = ["--config", ini, "--load-state", state, "-w", rest, "-"];
    run(args, &capture[..24]).code(0);
    let packets = |name| {
        let file = fs::read(at(name)).expect("read");
        common::pcap(&file).1.len()
    };
    let messages = packets("out.pcap") + packets("rest.pcap");
    // SYN and SYN-ACK too, where SCTP passes as it is.
    assert_eq!(messages, 22);
    assert_eq!(rows(&at("history.csv")).1.len(), 5);
    // What is in force, and the same again.
    let saved = run(["--config", ini, "--save-config"], b"").text();
    for line in [
        "counters-clear = yes",
        "counters-period = 2m",
        "checksums = ip=verify,sctp=verify,tcp=ignore,udp=ignore",
        "disable = sctp",
        "look-behind = 32,200ms",
        "max-active-packets = 5000",
        "session-timeout = 600s",
        "sctp-packet-timeout = 2500ms",
        "sort-delay = 100ms",
        "sort-queue = 1000",
        "store-fragments = yes",
        "synchronized = yes",
        "; tcp-holes = 64",
    ] {
        assert!(saved.lines().any(|l| l == line), "{line}: {saved}");
    }
    // What stands in comments can be taken as it is.
    fs::write(at("saved.ini"), saved.replace("\n; ", "\n")).expect("written");
    let name = at("saved.ini");
    let done = run(
        ["--config", name.to_str().expect("UTF-8"), "--save-config"],
        b"",
    );
    assert_eq!(done.text(), saved.replace("\n; ", "\n"));
    fs::write(at("saved.ini"), &saved).expect("written");
    let again = at("saved.ini");
    let again = run(
        ["--config", again.to_str().expect("UTF-8"), "--save-config"],
        b"",
    );
    assert_eq!(again.text(), saved);
}

#[test]
fn the_command_line_is_stronger_than_the_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("c.ini");
    let capture = fs::read(testdata("dns-udp.pcap")).expect("read");
    let with = |text: &str, args: &[&str]| {
        fs::write(&path, text).expect("written");
        let ini = path.to_str().expect("UTF-8");
        run([&["--config", ini], args].concat(), &capture)
    };
    let file = "\u{feff}[output]\n# a comment\nprint\n\n[LIMITS]\nMemory-Limit = \"64M\"\n[Filters]\nmatch = \" \"\nkind = response\n";
    let lines = with(file, &[]).text();
    assert!(
        lines.contains("192.") && lines.lines().count() > 3,
        "{lines}"
    );
    assert!(with(file, &["-p=full", "--kind", "request"]).text() != lines);
    // The value of an option may be left out, and an option may have a form.
    let flags = "[Output]\nprint = yes\njson = no\nhash = off\n[Observation]\nstats = false\n";
    assert_eq!(with(flags, &[]).text(), with("", &["-p"]).text());
    let saved = run(["--follow=hex", "udp:0", "--save-config"], b"").text();
    assert_eq!(
        with(&saved, &[]).text(),
        with("", &["--follow=hex", "udp:0"]).text()
    );
    // -n excludes what the file asks for, and a capture takes its place.
    assert!(with("[Output]\nprint = brief\n", &["-n"]).ok().is_empty());
    assert!(
        !with("[Output]\nno-output = yes\n", &["-w", "-"])
            .ok()
            .is_empty()
    );
    let other = "[Input]\nread = /nowhere\n";
    assert_eq!(with(other, &["-p", "-"]).text(), with("", &["-p"]).text());
    // A channel that is not opened.
    let closed = "[Input]\nold = /nowhere\nRestoreChannels = 0\n";
    with(closed, &["-n"]).code(0);
    for (text, words) in [
        (
            "[Limits]\nmemory-limit = much\n",
            "line 2: memory-limit much: is no size: expected",
        ),
        (
            "[Limits]\nmemory-limt = 1M\n",
            "line 2: memory-limt: there is no such entry in [Limits]: did you mean memory-limit?",
        ),
        (
            "\n[Limit]\n",
            "line 2: [Limit]: there is no such section: did you mean Limits?",
        ),
        (
            "[Limits]\n\nprint = full\n",
            "line 3: print: belongs to section [Output]: move it there",
        ),
        ("print = full\n", "line 1: print: stands in no section"),
        ("[Limits\n", "line 1: [Limits: is no section"),
        ("[Input]\nsort-file = yes\n", "did you mean sort-files?"),
        (
            "[Processing]\nstore-fragments = perhaps\n",
            "store-fragments: perhaps: is none of its values: expected yes or no",
        ),
        (
            "[TCPReassembler]\nEnabled = perhaps\n",
            "Enabled: perhaps: is none of its values: expected yes or no",
        ),
        (
            "[TCPReassembler]\nPacketTimeOutMSec = x\n",
            "tcp-packet-timeout xms: is no time: expected",
        ),
    ] {
        let done = with(text, &["-n"]);
        assert!(done.stderr.contains(words), "{text}: {}", done.stderr);
        assert!(
            done.stderr.contains("c.ini: line "),
            "{text}: {}",
            done.stderr
        );
        done.code(2);
    }
    // Also what is wrong with several of them, or when they are opened.
    for (text, words) in [
        (
            "[Waiting]\ntcp-holes = 0\n",
            "c.ini: line 2: tcp-holes: is 0,",
        ),
        (
            "[Output]\nwrite = /nowhere/x\n",
            "c.ini: line 2: /nowhere/x: cannot open",
        ),
        (
            "[Input]\n\nread = /nowhere.pcap\n",
            "c.ini: line 3: /nowhere.pcap: ",
        ),
        (
            "[Output]\nprint = yes\njson = yes\n",
            "c.ini: line 2: print)",
        ),
        (
            "[Output]\nextract = files\nextract-min = 5\nextract-max = 4\n",
            "c.ini: line 3: extract-min: is larger than --extract-max",
        ),
        (
            "[Operation]\nstate = /nowhere/x\n",
            "c.ini: line 2: /nowhere/x: ",
        ),
        ("[Operation]\nstate = -\n", "c.ini: line 2: state -: "),
        (
            "[Protocols]\n\ndecode-as = tcp.port==80,nosuch\n",
            "c.ini: line 3: decode-as: nosuch: no protocol",
        ),
        ("[Protocols]\nframer = x\n", "c.ini: line 2: framer x: "),
    ] {
        let done = with(text, &[]);
        assert!(done.stderr.contains(words), "{text}: {}", done.stderr);
        done.code(2);
    }
    let done = run(["--config", "/nowhere.ini"], &capture);
    assert!(
        done.stderr.contains("/nowhere.ini: cannot be read"),
        "{}",
        done.stderr
    );
    done.code(2);
}

#[test]
fn messages_go_to_a_log_and_errors_to_stderr_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let log = dir.path().join("log");
    let to = log.to_str().expect("UTF-8");
    let capture = fs::read(testdata("dns-udp.pcap")).expect("read");
    let cut = &capture[..capture.len() - 1];
    let said = run(["-n", "-v"], cut).stderr;
    let done = run(["-n", "-v", "--log-file", to], cut);
    assert_eq!(done.stderr, "");
    done.code(0);
    run(
        ["-n", "--log-file", to],
        b"no capture at all, whatever it is",
    )
    .code(2);
    let text = fs::read_to_string(&log).expect("read");
    let lines: Vec<_> = text
        .lines()
        .map(|l| l.splitn(3, ' ').collect::<Vec<_>>())
        .collect();
    let words: Vec<_> = said
        .lines()
        .map(|l| l.trim_start_matches("inet-asm: "))
        .collect();
    // Times differ from run to run, and are none of what is said.
    assert_eq!(lines.len(), words.len() + 1, "{text}{said}");
    for (line, words) in lines.iter().zip(words) {
        assert!(line[0].ends_with('Z') && line[0].len() == 24, "{line:?}");
        assert!(["info", "warning"].contains(&line[1]), "{line:?}");
        assert_eq!(line[2], words);
        // What is read is no reason to worry.
        assert!(
            line[1] == "info" || !line[2].ends_with(": pcap"),
            "{line:?}"
        );
    }
    assert_eq!(lines.last().expect("a line")[1], "error");
    let done = run(["-n", "--log-file", "/nowhere/log"], &capture);
    assert!(
        done.stderr.contains("/nowhere/log: cannot open"),
        "{}",
        done.stderr
    );
    done.code(2);
}

/// It is drawn, goes aside for a message, and nothing of it is left.
#[test]
fn progress_is_shown_and_taken_away() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("in.pcap");
    let whole = minutes(10);
    fs::write(&path, &whole[..whole.len() - 1]).expect("written");
    let name = path.to_str().expect("UTF-8");
    let done = run(["-n", "-s", "--progress=always", name], b"");
    done.code(0);
    let (bar, rest) = done.stderr.split_once(" left, ").expect("a bar");
    assert!(bar.contains(" of ") && bar.contains("B/s"), "{bar:?}");
    assert!(rest.contains("messages"), "{rest:?}");
    // The line of the message begins where the bar was erased.
    let (before, _) = done.stderr.split_once("inet-asm: ").expect("a warning");
    assert!(before.ends_with("\r\x1b[2K"), "{before:?}");
    let (_, counters) = done.stderr.rsplit_once("\x1b[2K").expect("erased");
    assert!(counters.contains("input.packets") && !counters.contains(" left, "));
    // Not of a pipe or without a terminal, not where it is not wanted, and not beside what is traced.
    for args in [
        &["-n", "-s", name][..],
        &["-n", "-s", "--progress=never", name],
        &["-n", "-s", "--progress=always", "--trace=all", name],
        &["-n", "--progress=always", "-q", name],
    ] {
        let done = run(args, b"");
        assert!(
            !done.stderr.contains("\x1b[2K"),
            "{args:?}: {}",
            done.stderr
        );
    }
    let done = run(["-n", "-s", "--progress=always"], &whole);
    done.code(0);
    assert!(done.stderr.contains("20 messages"), "{}", done.stderr);
}

/// What went through each input and output adds up to what went through all.
#[test]
fn inputs_and_outputs_are_counted_one_by_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let names = ["http-keepalive.pcap", "dns-udp.pcap"].map(|name| {
        let path = testdata(name);
        path.to_str().expect("UTF-8").to_owned()
    });
    let (http, dns, rest) = (at("http.pcap"), at("dns.pcap"), at("rest.jsonl"));
    let args = [
        "-w",
        &http,
        "-w",
        &format!("file:{dns}?protocol=dns"),
        &format!("-j={rest}"),
        "-s=json,input,output,inputs,outputs",
        &names[0],
        &names[1],
    ];
    let done = run(args, b"");
    done.code(0);
    let all: serde_json::Value = serde_json::from_str(&done.stderr).expect("JSON");
    let sum = |list: &str, what: &str| -> u64 {
        let list = all[list].as_array().expect("a list");
        list.iter().filter_map(|one| one[what].as_u64()).sum()
    };
    let total = |section: &str, what: &str| all[section][what].as_u64().expect("a number");
    for what in ["packets", "octets"] {
        assert_eq!(sum("inputs", what), total("input", what), "{what}");
    }
    assert_eq!(all["inputs"][1]["name"], names[1]);
    assert_eq!(sum("outputs", "packets"), total("output", "packets"));
    // Of two outputs for packets one has what the other has not, and JSON has all.
    assert_eq!(2 * sum("inputs", "messages"), sum("outputs", "messages"));
    assert_eq!(all["outputs"][1]["messages"], all["inputs"][1]["messages"]);
    assert!(all["outputs"][1]["messages"].as_u64() > Some(0));
    for (i, path) in [http, dns, rest].iter().enumerate() {
        let octets = fs::metadata(path).expect("written").len();
        assert_eq!(all["outputs"][i]["octets"], octets, "{path}");
        let opened = all["outputs"][i]["opened"].as_str().expect("a time");
        assert!(
            opened.starts_with("20") && opened.ends_with('Z'),
            "{opened}"
        );
    }
    // A folder has a row too: the octets of all files below it.
    let (dump, files) = (at("dump"), at("files"));
    let args = [
        "--dump",
        &dump,
        "-x",
        &files,
        "-s=json,outputs",
        &names[0],
        &names[1],
    ];
    let done = run(args, b"");
    let all: serde_json::Value = serde_json::from_str(&done.stderr).expect("JSON");
    let rows = all["outputs"].as_array().expect("a list");
    assert_eq!(rows.len(), 2, "{all}");
    for folder in [dump, files] {
        let there = fs::read_dir(&folder).expect("a folder");
        let sizes = there.map(|file| file.expect("a file").metadata().expect("written").len());
        let row = rows.iter().find(|row| row["name"] == folder.as_str());
        let octets = row.expect("a row")["octets"].as_u64();
        let sum = sizes.sum::<u64>();
        assert!(sum > 1000 && octets == Some(sum), "{folder}: {sum} {all}");
    }
    // Each that takes messages says how many: of lines, rows, both halves of an exchange.
    let (har, csv, stats) = (at("x.har"), at("c.csv"), at("s.csv"));
    let others = [
        "--har",
        &har,
        "--counters-file",
        &csv,
        "--sctp-stats",
        &stats,
    ];
    for (form, messages) in [
        ("-p", 16),
        ("--table", 16),
        ("--table=http", 16),
        ("--table=connections", 0),
    ] {
        let args = [&[form, "-s=json,outputs", &names[0]], &others[..]].concat();
        let all: serde_json::Value = serde_json::from_str(&run(args, b"").stderr).expect("JSON");
        let rows = all["outputs"].as_array().expect("a list");
        let of = |name: &str| rows.iter().find(|row| row["name"] == name).expect("a row");
        assert_eq!(
            of("stdout")["messages"].as_u64().unwrap_or(0),
            messages,
            "{form}"
        );
        assert_eq!(of(&har)["messages"], 16);
        for path in [&har, &stats] {
            let octets = fs::metadata(path).expect("written").len();
            assert_eq!(of(path)["octets"], octets, "{path}");
        }
        assert!(of(&csv)["octets"].as_u64() > Some(1000));
    }
    // CSV has lines of its own for them, and none where no counter was asked for.
    let text = run(["-n", "-s=csv,inputs,input.packets", &names[1]], b"").stderr;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "input.packets",
            lines[1],
            "list,name,packets,octets,messages,opened"
        ]
    );
    assert!(
        lines[3].starts_with(&format!("inputs,{},{},", names[1], lines[1])),
        "{text}"
    );
    let text = run(["-n", "-s=csv,inputs", &names[1]], b"").stderr;
    assert_eq!(text.lines().collect::<Vec<_>>()[0], lines[2]);
    assert_eq!(text.lines().count(), 2, "{text}");
    // As text, for people; and not where nobody asks.
    let text = run(["-n", "-s=inputs", &names[1]], b"").stderr;
    assert!(
        text.contains("INPUTS") && text.contains("dns-udp.pcap"),
        "{text}"
    );
    let text = run(["-n", "-s", &names[1]], b"").stderr;
    assert!(
        !text.contains("INPUTS") && !text.contains("runtime."),
        "{text}"
    );
    let text = run(["-n", "-s=runtime", &names[1]], b"").stderr;
    assert!(counter(&text, "runtime.resident") > 1 << 20, "{text}");
    let held = [
        "-n",
        "--fail-if",
        "runtime.packets_per_second > 0",
        &names[1],
    ];
    run(held, b"").code(1);
}

/// What waits is counted where it waits, now and at most.
#[test]
fn what_waits_is_counted_by_stage() {
    for (name, args, stage, most) in [
        ("http-reordered.pcap", &[][..], "segments", 1),
        ("fragments-v4.pcap", &[], "fragments", 1),
        ("sctp-fragments.pcap", &[], "chunks", 2),
        ("http-keepalive.pcap", &["--sort-queue=7"], "sorting", 8),
    ] {
        let capture = fs::read(testdata(name)).expect("read");
        let done = run([&["-n", "-s=all"], args].concat(), &capture);
        let peak = counter(&done.stderr, &format!("buffer.{stage}_peak"));
        assert!(peak >= most, "{name}: {peak}");
        // At least an octet for each, and all of it is part of what is in use.
        let octets = counter(&done.stderr, &format!("buffer.{stage}_octets_peak"));
        let all = counter(&done.stderr, "buffer.peak");
        assert!(peak < octets && octets <= all, "{name}: {octets} {all}");
        for now in [stage.to_owned(), format!("{stage}_octets")] {
            let now = counter(&done.stderr, &format!("buffer.{now}"));
            assert_eq!(now, 0, "{name}");
        }
        let others = ["segments", "fragments", "chunks", "sorting"];
        for other in others.iter().filter(|other| **other != stage) {
            for peak in ["peak", "octets_peak"] {
                let peak = counter(&done.stderr, &format!("buffer.{other}_{peak}"));
                assert_eq!(peak, 0, "{name}: {other}");
            }
        }
    }
}

/// What is kept of open messages for the lines of -vv is in the budget, and no state has it.
#[test]
fn what_is_watched_is_counted() {
    let dir = tempfile::tempdir().expect("a folder");
    let state = dir.path().join("state");
    let state = state.to_str().expect("UTF-8");
    let capture = fs::read(testdata("http-cut-start.pcap")).expect("read");
    let of = |args: &[&str], input: &[u8], name: &str| {
        let done = run([&["-n", "-s=all"], args].concat(), input);
        done.code(0);
        counter(&done.stderr, name)
    };
    let peak = |args| of(args, &capture, "buffer.peak");
    assert!(peak(&["-vv"]) > peak(&["-v"]));
    assert_eq!(of(&["-vv"], &capture, "buffer.waiting"), 0);
    assert!(of(&["-vv", "--save-state", state], &capture, "buffer.waiting") > 0);
    assert_eq!(
        of(&["--load-state", state], &capture[..24], "buffer.waiting"),
        0
    );
}

/// Sections of INetReassembler.ini that share an option are told what holds, and a flag can be switched off again.
#[test]
fn what_several_entries_say_of_one_option_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("x.ini");
    let ini = path.to_str().expect("UTF-8");
    let with = |text: &str, args: &[&str]| {
        fs::write(&path, text).expect("written");
        run([&["--config", ini], args].concat(), b"")
    };
    let in_force = |text: &str, args: &[&str], line: &str| {
        let saved = with(text, &[args, &["--save-config"]].concat()).text();
        saved.lines().any(|l| l == line)
    };
    let capture = testdata("dns-udp.pcap");
    let capture = capture.to_str().expect("UTF-8");
    for (first, second, line, words) in [
        (
            "[IPReassembler]\nMaxActivePackets=5000\n",
            "[TCPReassembler]\nMaxActivePackets=100\n",
            "max-active-packets = 5000",
            "5000 holds, the larger one",
        ),
        (
            "[TCPReassembler]\nSessionTimeOutSec=60\n",
            "[SCTPReassembler]\nStreamTimeOutSec=600\n",
            "session-timeout = 600s",
            "600s holds, the larger one",
        ),
        (
            "[TCPReassembler]\nLookBehindOnStartUp=32\n",
            "[SCTPReassembler]\nLookBehindOnStartUp=0\n",
            "look-behind = 32,200ms",
            "32,200ms holds, the larger one",
        ),
        (
            "[TCPReassembler]\nTcpInfoOnOutput=0\n",
            "[SCTPReassembler]\nSctpInfoOnOutput=1\n",
            "info = yes",
            "yes holds, the larger one",
        ),
        // The same entry twice: the later one.
        (
            "[UDPReassembler]\nVerifyChecksums=1\n",
            "[UDPReassembler]\nVerifyChecksums=0\n",
            "checksums = udp=ignore",
            "line 2 says otherwise of udp: this one holds",
        ),
        (
            "[SCTPReassembler]\nEnabled=1\n",
            "[SCTPReassembler]\nEnabled=0\n",
            "disable = sctp",
            "line 2 says otherwise of sctp: this one holds",
        ),
        // A list says something of each of its parts.
        (
            "[Processing]\ndisable = tcp,udp\n",
            "[SCTPReassembler]\nEnabled=0\n",
            "disable = tcp,udp,sctp",
            "line 2 says otherwise of sctp: this one holds",
        ),
        (
            "[Processing]\ndisable = UDP, sctp\n",
            "[UDPReassembler]\nEnabled=1\n",
            "disable = sctp",
            "line 2 says otherwise of udp: this one holds",
        ),
        (
            "[UDPReassembler]\nEnabled=0\n",
            "[Processing]\ndisable = sctp\n",
            "disable = sctp",
            "was another one in line 2: this one holds",
        ),
        (
            "[Processing]\nchecksums = verify\n",
            "[UDPReassembler]\nVerifyChecksums=0\n",
            "checksums = verify,udp=ignore",
            "line 2 says otherwise of udp: this one holds",
        ),
        (
            "[IPReassembler]\nVerifyChecksums=1\n",
            "[Processing]\nchecksums = tcp=ignore\n",
            "checksums = tcp=ignore",
            "was another one in line 2: this one holds",
        ),
    ] {
        let text = format!("{first}{second}");
        assert!(in_force(&text, &[], line), "{text}");
        let done = with(&text, &["-p", capture]);
        let told = done.stderr.lines().filter(|l| l.contains(words)).count();
        assert!(
            told == 1 && done.stderr.contains("x.ini: line 4: "),
            "{}",
            done.stderr
        );
        // In another order it is the same, where the larger one holds.
        if words.contains("larger") {
            assert!(in_force(&format!("{second}{first}"), &[], line), "{text}");
        }
        // Nothing is told of two that say the same, or of what the command line says.
        let done = with(&format!("{first}{first}"), &["-p", capture]);
        assert_eq!(done.stderr, "", "{first}");
        let (option, _) = line.split_once(' ').expect("an entry");
        let done = with(&text, &["-p", &format!("--no-{option}"), capture]);
        assert_eq!(done.stderr, "", "{text}");
        assert!(!in_force(&text, &[&format!("--no-{option}")], line));
    }
    // Counters that are cleared are an entry of another program, and one of this: the later one holds.
    let clear = "[Counters]\nHistoryFile=c.csv\nClearOnWrite=1\n";
    let not = "[Operation]\ncounters-clear = no\n";
    let line = "counters-clear = yes";
    assert!(in_force(clear, &[], line));
    assert!(!in_force(&format!("{clear}{not}"), &[], line));
    assert!(in_force(&format!("{not}{clear}"), &[], line));
    // A flag that was switched on is switched off: further below, or on the command line, and on again there.
    let on = "[Processing]\nstore-fragments = yes\n";
    let line = "store-fragments = yes";
    assert!(in_force(on, &[], line));
    assert!(!in_force(&format!("{on}store-fragments = no\n"), &[], line));
    assert!(!in_force(on, &["--no-store-fragments"], line));
    assert!(in_force(
        on,
        &["--no-store-fragments", "--store-fragments"],
        line
    ));
    assert!(!in_force(
        "",
        &["--store-fragments", "--no-store-fragments"],
        line
    ));
    // Options with a value too, and what says more of them.
    let dump = "[Output]\ndump = DIR\ndump-name = %c\ntable = http\nfields = uri\n";
    let done = with(dump, &["--no-dump", "--no-table", "-p", capture]);
    assert_eq!(done.stderr, "");
    let files = "[Output]\nextract = DIR\nextract-min = 1\nextract-max = 5\nextract-types = image/*\nextract-protocols = http\n\
        on-file = cat\nindex = yes\ncertificates = yes\nhar = x.har\nhar-body = 1K\n\
        [Limits]\nmax-file = 1M\n[Operation]\ncounters-file = c.csv\ncounters-period = 1m\n";
    let done = with(
        files,
        &[
            "--no-extract",
            "--no-har",
            "--no-counters-file",
            "-p",
            capture,
        ],
    );
    assert_eq!(done.stderr, "");
    assert!(!done.text().is_empty());
    assert!(in_force(
        "[Observation]\nverbose = 2\nverbose = 1\n",
        &[],
        "verbose = 1"
    ));
    let verbose = "[Observation]\nverbose = 2\n";
    assert!(!in_force(verbose, &["--no-verbose"], "verbose = 2"));
}

/// Counters begin anew behind each row of a file, and where there is none that is an error, whoever asks for it.
#[test]
fn rows_that_go_nowhere_are_not_asked_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (ini, csv) = (at("x.ini"), at("c.csv"));
    let capture = fs::read(testdata("dns-udp.pcap")).expect("read");
    let clear = "[Operation]\ncounters-clear = yes\n";
    let file = format!("counters-file = {csv}\n");
    for (text, args, code, words) in [
        (
            clear,
            &[][..],
            2,
            "x.ini: line 2: counters-clear: counts anew",
        ),
        (clear, &["--no-counters-clear"], 0, ""),
        (clear, &["--counters-file", &csv], 0, ""),
        (&format!("{clear}{file}"), &[], 0, ""),
        (&format!("{clear}{file}"), &["--no-counters-file"], 0, ""),
        (
            &format!("[Operation]\n{file}"),
            &["--counters-clear"],
            0,
            "",
        ),
        (
            "",
            &["--counters-clear"],
            2,
            "--counters-clear: counts anew",
        ),
    ] {
        fs::write(&ini, text).expect("written");
        let done = run([&["-p", "--config", &ini], args].concat(), &capture);
        let said = done.stderr.contains(words) && done.stderr.is_empty() == words.is_empty();
        assert!(said, "{text} {args:?}: {}", done.stderr);
        done.code(code);
    }
}

/// What cannot be written to the log is said on stderr, and the status says that something is missing.
#[test]
fn a_log_that_cannot_be_written_is_told_once() {
    let capture = fs::read(testdata("dns-udp.pcap")).expect("read");
    let done = run(["-n", "-v", "--log-file", "/dev/full"], &capture);
    let first = "inet-asm: /dev/full: cannot write: No space left on device";
    assert!(done.stderr.starts_with(first), "{}", done.stderr);
    let said = run(["-n", "-v"], &capture).stderr;
    assert!(done.stderr.ends_with(&said), "{}", done.stderr);
    assert_eq!(done.stderr.matches("cannot write").count(), 1);
    done.code(2);
    // Nor is it anything that is read: not even why it is refused is written there.
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (input, ini, keys, state) = (at("in.pcap"), at("x.ini"), at("keys"), at("state"));
    fs::write(&input, &capture).expect("written");
    run(["-n", "-s", "--save-state", &state, &input], b"").code(0);
    let others = ["--config", &ini, "--keylog", &keys, "--load-state", &state];
    for path in [&input, &ini, &keys, &state] {
        for option in ["--log-file", "--counters-file", "-w"] {
            fs::write(&ini, "[Limits]\nmemory-limit = 64M\n").expect("written");
            fs::write(&keys, "# no secrets\n").expect("written");
            let before = fs::read(path).expect("read");
            let done = run(
                [&others[..], &["-q", "-s", option, path, &input]].concat(),
                b"",
            );
            assert!(
                done.stderr.contains("it is also an input"),
                "{}",
                done.stderr
            );
            assert!(fs::read(path).expect("read") == before, "{option} {path}");
            done.code(2);
        }
    }
}

/// Signals that come before the first octet are answered, and end nothing.
#[test]
fn signals_are_heard_before_the_first_octet() {
    let dir = tempfile::tempdir().expect("a folder");
    let state = dir.path().join("state");
    let to = state.to_str().expect("UTF-8");
    let mut command = common::inet_asm(["-n", "-s=json,input", "--save-state", to]);
    let mut child = common::start(&mut command);
    common::until_signals_are_caught(&child);
    for name in ["HUP", "USR2", "USR1"] {
        common::signal(&child, name);
    }
    let mut said = std::io::BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).expect("read");
    assert!(line.contains("\"packets\":0"), "{line}");
    let capture = fs::read(testdata("dns-udp.pcap")).expect("read");
    let mut stdin = child.stdin.take().expect("piped");
    std::io::Write::write_all(&mut stdin, &capture).expect("written");
    drop(stdin);
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest).expect("read");
    assert!(
        rest.contains("\"files\":1") && !rest.contains("\"packets\":0"),
        "{rest}"
    );
    assert!(child.wait().expect("ended").success(), "{rest}");
    assert!(state.exists());
}

/// SIGINT and SIGTERM ahead of the first octet end the run as they end any other: what is written is a capture without packets.
#[test]
fn a_run_ends_well_before_the_first_octet() {
    let dir = tempfile::tempdir().expect("a folder");
    let state = dir.path().join("state");
    let to = state.to_str().expect("UTF-8");
    for (name, writer_ends) in [("INT", false), ("TERM", true)] {
        let child = common::start(&mut common::inet_asm(["-w-", "--state", to]));
        common::until_signals_are_caught(&child);
        common::signal(&child, name);
        let mut child = child;
        let writer = child.stdin.take();
        if writer_ends {
            drop(writer);
        }
        let done = child.wait_with_output().expect("an end");
        let words = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(0), "{name}: {words}");
        assert_eq!((done.stdout.len(), &*words), (24, ""), "{name}");
        assert!(state.exists());
    }
    // In the middle of the header that is told.
    let mut live = Live::start(&["-w-"]);
    common::until_signals_are_caught(&live.child);
    live.write(&fs::read(testdata("dns-udp.pcap")).expect("read")[..10]);
    live.signal("INT");
    live.close();
    let done = live.end();
    assert!(done.stderr.contains("10 bytes"), "{}", done.stderr);
    assert_eq!(done.ok().len(), 24);
    // Without a signal it is an error still.
    run(["-n"], b"").code(2);
}

/// `-` is stdout, where an option that names a file can write there, and is refused by the others; no file is called so.
#[test]
fn a_dash_is_stdout_or_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let capture = minutes(10);
    let here = |args: &[&str]| {
        let mut program = common::inet_asm(args);
        common::feed(program.current_dir(dir.path()), &[&capture])
    };
    for option in ["--state", "--save-state", "--load-state", "--log-file"] {
        let done = here(&["-n", option, "-"]);
        assert!(done.stderr.contains(" -: "), "{option}: {}", done.stderr);
        done.code(2);
    }
    let period = ["-n", "--counters-period", "3m", "--counters-file"];
    here(&[&period[..], &["c.csv"]].concat()).code(0);
    let file = fs::read_to_string(dir.path().join("c.csv")).expect("read");
    assert_eq!(file.lines().count(), 5);
    let done = here(&[&period[..], &["-", "-s=outputs"]].concat());
    assert!(done.stderr.contains("stdout"), "{}", done.stderr);
    assert_eq!(done.text(), file);
    let done = here(&[&period[1..], &["-", "-p"]].concat());
    let words = "stdout: --print and --counters-file - both write there";
    assert!(done.stderr.contains(words), "{}", done.stderr);
    done.code(2);
    // A reader that has gone wants no more.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut program = common::inet_asm([&period[..], &["-", "in.pcap"]].concat());
    fs::write(dir.path().join("in.pcap"), &capture).expect("written");
    let done = program.current_dir(dir.path()).stdout(writer).output();
    let done = done.expect("run");
    assert_eq!((done.status.code(), done.stderr), (Some(0), Vec::new()));
    assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 2);
}

/// Counters that are asked for by name are answered on SIGUSR1, though all of them are 0.
#[test]
fn counters_that_are_0_are_an_answer() {
    let capture = fs::read(testdata("dns-udp.pcap")).expect("read");
    let mut child = common::start(&mut common::inet_asm(["-w-", "-s=tcp"]));
    let mut stdin = child.stdin.take().expect("piped");
    std::io::Write::write_all(&mut stdin, &capture[..24]).expect("written");
    let mut header = [0; 24];
    let mut out = child.stdout.take().expect("piped");
    std::io::Read::read_exact(&mut out, &mut header).expect("a header");
    common::signal(&child, "USR1");
    let mut said = std::io::BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("tcp.segments") {
        line.clear();
        let read = std::io::BufRead::read_line(&mut said, &mut line).expect("read");
        assert!(read > 0, "nothing is said");
    }
    drop(stdin);
    assert!(child.wait().expect("ended").success());
}
