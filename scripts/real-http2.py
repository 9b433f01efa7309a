#!/usr/bin/env python3
"""real-http2.py BINARY: nghttpd on the loopback, asked by nghttp for 100 files at once, by h2load on several connections, and by curl with
prior knowledge and, through nghttpx, with an upgrade of HTTP/1.1; captures what they say with tcpdump, and holds what BINARY makes of it to
what was sent: status, path, length and hash of each body. tshark reads the packets that BINARY writes, and counts as many streams. Then
the same of the first capture with 1% and 5% of its packets lost, and 5% of them reordered: what is called whole has to be right, and how many
come out is told, beside how many statuses tshark reads. Needs root, and Debian's
nghttp2-client, nghttp2-server, nghttp2-proxy, curl, tcpdump, tshark."""
import base64, collections, hashlib, json, os, random, signal, struct, subprocess, sys, tempfile, time

BINARY = sys.argv[1]
PORT, PROXY = 18080, 18081
digest = lambda octets: hashlib.sha256(octets).hexdigest()[:16]
quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def captured(work, talk):
    path = f"{work}/c.pcap"
    dump = subprocess.Popen(["tcpdump", "-i", "lo", "-U", "-B", "65536", "-s", "0", "-w", path, f"tcp port {PORT} or tcp port {PROXY}"], stderr=subprocess.PIPE)
    dump.stderr.readline()
    time.sleep(0.5)
    try:
        codes = talk()
        # The kernel hands over what it has captured within a second.
        time.sleep(1.5)
    finally:
        dump.send_signal(signal.SIGINT)
        dump.wait()
    return open(path, "rb").read(), codes


def messages(capture, port):
    done = subprocess.run([BINARY, "-j", "--json-body=base64"], input=capture, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    lines = map(json.loads, done.stdout.splitlines())
    return [m for m in lines if m["type"] == "message" and m["protocol"] == "http2" and port in (m["src_port"], m["dst_port"])]


def response(message):
    """Status, octets announced, and hash of the body."""
    octets = base64.b64decode(message.get("body") or "")
    at = octets.find(b"\r\n\r\n") + 4
    head = octets[:at].decode().lower()
    length = next((int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length:")), None)
    return message["http2"].get("status"), length, digest(octets[at:])


def records(capture):
    at = 24
    while at < len(capture):
        size = struct.unpack_from("<I", capture, at + 8)[0]
        yield capture[at:at + 16 + size]
        at += 16 + size


def tshark(capture, *options):
    return subprocess.run(["tshark", "-r", "-", "-d", f"tcp.port=={PORT},http2", *options], input=capture, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()


def by_tshark(capture):
    """Malformed packets, and streams with headers by connection."""
    rows = tshark(capture, "-Y", "http2", "-T", "fields", "-e", "tcp.stream", "-e", "http2.streamid", "-e", "http2.type", "-e", "_ws.malformed")
    streams, malformed = set(), 0
    for row in rows.splitlines():
        connection, ids, kinds, bad = row.split("\t")
        malformed += bool(bad)
        streams |= {(connection, number) for number, kind in zip(ids.split(","), kinds.split(",")) if kind == "1"}
    return len(streams), malformed


def statuses(capture):
    """Answers of which tshark reads the status; it exports no bodies of HTTP/2 here."""
    rows = tshark(capture, "-Y", "http2.headers.status", "-T", "fields", "-e", "http2.headers.status")
    return len(rows.replace(",", "\n").split())


def main():
    good = True
    with tempfile.TemporaryDirectory() as work:
        os.makedirs(f"{work}/site")
        chance, bodies = random.Random(9113), {}
        for n in range(100):
            octets = chance.randbytes(n * n * 17 % 60_000 + n)
            bodies[f"/{n}.bin"] = octets
            with open(f"{work}/site/{n}.bin", "wb") as file:
                file.write(octets)
        sent = lambda times: collections.Counter({(200, len(octets), digest(octets)): times for octets in bodies.values()})
        server = subprocess.Popen(["nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", f"{work}/site", str(PORT)], **quiet)
        proxy = subprocess.Popen(["nghttpx", "--conf=/dev/null", f"--frontend=127.0.0.1,{PROXY};no-tls", f"--backend=127.0.0.1,{PORT};;proto=h2", "--errorlog-file=/dev/null", f"--pid-file={work}/pid"], **quiet)
        urls = [f"http://127.0.0.1:{PORT}/{n}.bin" for n in range(100)]
        talks = {
            "nghttp, 100 streams at once": (PORT, 1, lambda: subprocess.run(["nghttp", "-n", *urls], **quiet, check=True, timeout=40)),
            "h2load, 5 connections": (PORT, 5, lambda: subprocess.run(["h2load", "-n", "500", "-c", "5", "-m", "100", *urls], **quiet, check=True, timeout=40)),
            "curl, prior knowledge": (PORT, 1, lambda: [subprocess.run(["curl", "-s", "--http2-prior-knowledge", "-o", "/dev/null", url], **quiet, timeout=40).returncode for url in urls]),
            "curl, upgrade": (PROXY, 1, lambda: [subprocess.run(["curl", "-s", "--http2", "-o", "/dev/null", url.replace(str(PORT), str(PROXY))], **quiet, timeout=40).returncode for url in urls]),
        }
        try:
            time.sleep(1)
            first = None
            for name, (port, times, talk) in talks.items():
                capture, codes = captured(work, talk)
                first = first or capture
                found = messages(capture, port)
                answers = collections.Counter(response(m) for m in found if m["kind"] == "response" and m["whole"])
                requests = sum(m["kind"] == "request" for m in found)
                expected = sent(times)
                # Some versions of curl refuse some answers: what it did not get was perhaps not sent.
                failed = [octets for octets, code in zip(bodies.values(), codes) if code] if isinstance(codes, list) else []
                expected -= collections.Counter((200, len(octets), digest(octets)) for octets in failed)
                right = not expected - answers
                written = subprocess.run([BINARY, "-w", "-"], input=capture, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
                theirs, malformed = by_tshark(written)
                before, _ = by_tshark(capture)
                print(f"{name}: {len(failed)} refused, {sum(expected.values())} sent, {sum((expected & answers).values())} found by status, length and hash; {requests} requests; tshark: {theirs} streams in our packets ({before} in the capture), {malformed} malformed")
                good &= right and not malformed and theirs == before
            packets, known = list(records(first)), sent(1)
            def carrying(record):
                ip = record[16 + 14:]
                head = (ip[0] & 15) * 4
                return struct.unpack_from(">H", ip, 2)[0] > head + (ip[head + 12] >> 4) * 4
            for name, lost, late in (("1% lost", 0.01, 0), ("5% lost", 0.05, 0), ("5% reordered", 0, 0.05)):
                for seed in range(1, 6):
                    chance = random.Random(seed)
                    kept = [p for p in packets if not (carrying(p) and chance.random() < lost)]
                    order = sorted(range(len(kept)), key=lambda i: i + (chance.randint(1, 5) + 0.5 if chance.random() < late else 0))
                    capture = first[:24] + b"".join(kept[i] for i in order)
                    answers = collections.Counter(response(m) for m in messages(capture, PORT) if m["kind"] == "response" and m["whole"])
                    # A field that was lost with others' frames is not known; what is there has to be right.
                    wrong = [a for a in answers if not any(a[2] == k[2] and a[0] in (None, k[0]) and a[1] in (None, k[1]) for k in known)]
                    print(f"  {name}, seed {seed}: {sum(answers.values())} of {len(bodies)} answers whole, {len(wrong)} wrong; tshark reads {statuses(capture)} statuses")
                    good &= not wrong and (lost > 0 or sum(answers.values()) == len(bodies))
        finally:
            for process in (server, proxy):
                process.terminate()
                process.wait()
    sys.exit(not good)


main()
