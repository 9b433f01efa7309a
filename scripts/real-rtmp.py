#!/usr/bin/env python3
"""real-rtmp.py BINARY: an nginx with its RTMP module on the loopback, to which ffmpeg publishes and from which another ffmpeg plays; captures
what they say with tcpdump, and compares what BINARY makes of it with what tshark makes of it: how many messages of each type, and what
commands. Then the same with packets left out: every message that BINARY calls whole has to be one of the whole capture, by hash, and how
many of those come out all of whose packets are there is told. Needs root, nginx with libnginx-mod-rtmp, ffmpeg, tcpdump, tshark."""
import base64, collections, hashlib, json, os, random, re, signal, struct, subprocess, sys, tempfile, time

BINARY, PORT = sys.argv[1], 1935
digest = lambda octets: hashlib.sha256(octets).hexdigest()[:16]
CONFIG = """daemon off; master_process off; pid {work}/pid; error_log {work}/log;
include /etc/nginx/modules-enabled/*.conf;
events {{ worker_connections 64; }}
rtmp {{ access_log off; server {{ listen 127.0.0.1:{port}; chunk_size {chunk}; application live {{ live on; }} }} }}
"""
SOURCE = ["-f", "lavfi", "-i", "testsrc=size=640x360:rate=25", "-f", "lavfi", "-i", "sine=frequency=440"]
CODECS = ["-c:v", "flv1", "-b:v", "1500k", "-g", "25", "-c:a", "aac", "-t", "6", "-f", "flv"]


def captured(chunk):
    """The capture of a publisher and a player."""
    with tempfile.TemporaryDirectory() as work:
        with open(f"{work}/conf", "w") as file:
            file.write(CONFIG.format(work=work, port=PORT, chunk=chunk))
        url, path = f"rtmp://127.0.0.1:{PORT}/live/camera", f"{work}/c.pcap"
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = subprocess.Popen(["nginx", "-c", f"{work}/conf"], **quiet)
        dump = subprocess.Popen(["tcpdump", "-i", "lo", "-U", "-B", "65536", "-s", "0", "-w", path, f"tcp port {PORT}"], stderr=subprocess.PIPE)
        dump.stderr.readline()
        time.sleep(1)
        publisher = subprocess.Popen(["ffmpeg", "-re", *SOURCE, *CODECS, url], **quiet)
        time.sleep(2)
        player = subprocess.Popen(["ffmpeg", "-i", url, "-c", "copy", "-t", "3", "-f", "null", "-"], **quiet)
        publisher.wait(timeout=120)
        try:
            player.wait(timeout=20)
        except subprocess.TimeoutExpired:
            player.terminate()
            player.wait()
        # The kernel hands over what it has captured within a second.
        time.sleep(1.5)
        dump.send_signal(signal.SIGINT)
        dump.wait()
        server.terminate()
        server.wait()
        return open(path, "rb").read()


def messages(capture):
    done = subprocess.run([BINARY, "-j", "--json-body=base64"], input=capture, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    lines = map(json.loads, done.stdout.splitlines())
    return [line for line in lines if line["type"] == "message" and line["protocol"] == "rtmpt"]


def key(message):
    body = base64.b64decode(message.get("body") or "")
    return message["src_port"], message["dst_port"], message["rtmpt"]["type"], digest(body)


def records(capture):
    at = 24
    while at < len(capture):
        size = struct.unpack_from("<I", capture, at + 8)[0]
        yield capture[at:at + 16 + size]
        at += 16 + size


def by_tshark(capture):
    done = subprocess.run(["tshark", "-r", "-", "-T", "fields", "-e", "_ws.col.Info", "-Y", "rtmpt"], input=capture, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    found = collections.Counter()
    for line in done.stdout.decode().splitlines():
        for part in line.split("|"):
            found[re.sub(r"[ (].*", "", part) if "(" in part else re.sub(r"[\d,]|\[.*|Dynamic", "", part).strip()] += 1
    return found


def main():
    good = True
    for chunk in (4096, 1000):
        capture = captured(chunk)
        all_of = messages(capture)
        whole = [m for m in all_of if m["whole"]]
        print(f"chunks of {chunk}: {len(list(records(capture)))} packets, {len(all_of)} messages, {len(whole)} whole")
        good &= len(whole) == len(all_of) > 300
        by_type = collections.Counter(m["rtmpt"]["type"] for m in whole)
        print("  ours:  ", dict(sorted(by_type.items())))
        print("  tshark:", dict(sorted(by_tshark(capture).items())))
        sent = collections.Counter(map(key, whole))
        packets = list(records(capture))
        for share in (0.01, 0.05):
            for seed in range(1, 6):
                chance = random.Random(seed)
                kept = [p for p in packets if chance.random() >= share]
                thinned = capture[:24] + b"".join(kept)
                got = collections.Counter(key(m) for m in messages(thinned) if m["whole"])
                wrong = got - sent
                print(f"  {share:.0%} lost, seed {seed}: {sum(got.values())} of {len(whole)} whole, {sum(wrong.values())} with octets that nobody sent; tshark {sum(by_tshark(thinned).values())}")
                good &= not wrong
    sys.exit(not good)


main()
