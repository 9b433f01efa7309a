#!/usr/bin/env python3
"""How many of the messages that lie whole in a damaged capture come out whole?

  recovery.py [--bin target/release/inet-asm] [--with "OPTIONS of inet-asm"] [--show] CAPTURE [OPTIONS of damage.py]

CAPTURE is a clean pcap on Ethernet and IPv4 of a protocol that has messages. The messages that inet-asm makes of it are the truth. damage.py
then damages it, and those messages of which every octet is left must come out whole again, once and in order.
Exit status 0 when they all do and nothing else claims to be whole. An answer of HTTP that ends with its header, and promises a
body, is whole with one octet more on the wire: its request, HEAD, is lost, and without that octet tshark would wait for the
body. --show lists what is lacking and what is wrong.

  scripts/make-http-load /tmp/load
  scripts/recovery.py /tmp/load/http-load.pcap --loss 0.01 --reorder 0.05 --duplicate 0.02 --seed 1
"""
import argparse
import collections
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FULL = 65_000  # a packet of so many octets is followed by the rest of its message


def segments(path):
    """(stream, sequence number, octets, length on the wire) of each segment with payload; Ethernet or raw IPv4."""
    with open(path, "rb") as file:
        data = file.read()
    ip = 14 if struct.unpack_from("<I", data, 20)[0] == 1 else 0
    at = 24
    while at < len(data):
        captured = struct.unpack_from("<I", data, at + 8)[0]
        packet = at + 16 + ip
        at += 16 + captured
        if data[packet] >> 4 != 4 or data[packet + 9] != 6:
            continue
        tcp = packet + (data[packet] & 15) * 4
        begin = tcp + (data[tcp + 12] >> 4) * 4
        end = packet + int.from_bytes(data[packet + 2:packet + 4], "big")
        if end > begin:
            stream = data[packet + 12:packet + 20] + data[tcp:tcp + 4]
            yield stream, int.from_bytes(data[tcp + 4:tcp + 8], "big"), data[begin:min(end, at)], end - begin


def is_whole(octets, length):
    """All octets of it were captured; or it is an answer to HEAD of which a reader of packets must not await the body."""
    header_alone = octets.startswith(b"HTTP/1.") and octets.find(b"\r\n\r\n") == len(octets) - 4
    return length == len(octets) or (header_alone and length == len(octets) + 1)


def messages(path):
    """(stream, sequence number, octets, whole); the packets of one large message are joined."""
    out, open_at = [], {}
    for stream, seq, octets, length in segments(path):
        whole = is_whole(octets, length)
        place = open_at.pop(stream, None)
        if place is not None and (out[place][1] + len(out[place][2])) % 2**32 == seq:
            _, first, before, _ = out[place]
            out[place] = stream, first, before + octets, whole
        else:
            place = len(out)
            out.append((stream, seq, octets, whole))
        if whole and length >= FULL:
            open_at[stream] = place
    return out


def ahead(a, b):
    """By how much a is ahead of b, modulo 2^32."""
    return (a - b + 2**31) % 2**32 - 2**31


def covered(ranges, seq, length):
    """Whether ranges, sorted and merged, hold these numbers."""
    return any(ahead(seq, begin) >= 0 and ahead(seq + length, begin) <= size for begin, size in ranges)


def present(path):
    """For each stream what is there of it: (sequence number, length) of the pieces that are contiguous."""
    streams = collections.defaultdict(list)
    for stream, seq, octets, _ in segments(path):
        streams[stream].append((seq, len(octets)))
    for stream, pieces in streams.items():
        base = pieces[0][0]
        merged = []
        for at, length in sorted((ahead(seq, base), length) for seq, length in pieces):
            if merged and at <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], at + length)
            else:
                merged.append([at, at + length])
        streams[stream] = [((base + begin) % 2**32, end - begin) for begin, end in merged]
    return streams


def show(what, stream, seq, octets):
    ports = struct.unpack("!HH", stream[8:])
    print(f"{what}: ports {ports[0]} > {ports[1]}, sequence number {seq}, {len(octets)} octets: {octets[:60]}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--bin", default=os.path.join(HERE, "../target/release/inet-asm"))
    parser.add_argument("--with", dest="options", default="", help="options of inet-asm")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("capture")
    args, damage = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as work:
        damaged, clean_out, damaged_out = (os.path.join(work, name) for name in ("damaged", "clean.out", "damaged.out"))
        subprocess.run([os.path.join(HERE, "damage.py"), *damage, args.capture, damaged], check=True)
        for source, output in ((args.capture, clean_out), (damaged, damaged_out)):
            subprocess.run([args.bin, *args.options.split(), "-w", output, source], check=True)
        truth, found, left = messages(clean_out), messages(damaged_out), present(damaged)

    whole = collections.Counter(m[:3] for m in found if m[3])
    recoverable = recovered = 0
    for stream, seq, octets, _ in truth:
        if covered(left.get(stream, ()), seq, len(octets)):
            recoverable += 1
            there = whole.get((stream, seq, octets), 0) == 1
            recovered += there
            if args.show and not there:
                show("lacking", stream, seq, octets)
    known = {m[:3] for m in truth}
    wrong = 0
    for message, count in whole.items():
        if message not in known:
            wrong += count
            if args.show:
                show("wrong", *message)
    last, disorder = {}, 0
    for stream, seq, _, _ in found:
        disorder += stream in last and ahead(seq, last[stream]) < 0
        last[stream] = seq
    rate = recovered / recoverable if recoverable else 0.0
    print(f"messages={len(truth)} recoverable={recoverable} recovered={recovered} "
          f"wrong={wrong} disorder={disorder} rate={rate:.4f}")
    sys.exit(0 if recoverable == recovered and not wrong and not disorder else 1)


main()
