#!/usr/bin/env python3
"""Damage an SCTP capture and count how many of the user messages that still lie whole in it come out.

  sctp-recovery.py [--bin target/release/inet-asm] [--loss 1,5,20] [--seeds 5] [--reorder P] [--duplicate P] [--cut-start P]
                   [--one-way] [--sums wrong|zero] [--keep DIR] CAPTURE...

For each loss (percent of the packets) and each seed, the capture without the packets lost goes through
`inet-asm -q --encap raw -w OUT`. Of what is left, P percent come up to five places and 10 ms late (--reorder), P percent come a second
time (--duplicate); the first P percent are missing (--cut-start), or all packets of the side that sends less (--one-way).
What lies whole in the damaged capture is found here by TSNs alone: all chunks from B to E (DATA), or all FSNs from B to E
(I-DATA), with the same ports, tag and stream. Printed: a line for each loss with the messages that came out, those that
should have, messages that came twice, and messages out of the order of their stream. Exit status 1 when anything is missing,
doubled, out of order, or made up.

CAPTURE is a classic pcap of Ethernet, Linux cooked, or raw IP; fragments of IP and tunnels are not looked into.
"""
import argparse
import collections
import os
import random
import struct
import subprocess
import sys
import tempfile


def records(path):
    """The file's header, its byte order, its link type, and (record header, octets) of each packet."""
    with open(path, "rb") as f:
        d = f.read()
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}.get(d[:4])
    if order is None:
        sys.exit(f"{path}: not a classic pcap file: convert it with editcap -F pcap")
    out, at = [], 24
    while at + 16 <= len(d):
        n = struct.unpack_from(order + "I", d, at + 8)[0]
        out.append((d[at:at + 16], d[at + 16:at + 16 + n]))
        at += 16 + n
    return d[:24], order, struct.unpack(order + "I", d[20:24])[0] & 0xFFFF, out


def ip_of(link, p):
    if link == 1:
        at = 12
        while p[at:at + 2] in (b"\x81\0", b"\x88\xa8"):
            at += 4
        return p[at + 2:] if p[at:at + 2] in (b"\x08\0", b"\x86\xdd") else b""
    if link == 113:
        return p[16:]
    if link == 276:
        return p[20:]
    return p if link in (101, 228, 229) else b""


def sctp_of(link, p):
    """Addresses and the octets of SCTP, or None."""
    p = ip_of(link, p)
    if len(p) >= 20 and p[0] >> 4 == 4:
        total, = struct.unpack_from("!H", p, 2)
        if p[9] != 132 or struct.unpack_from("!H", p, 6)[0] & 0x3FFF:
            return None
        return p[12:16], p[16:20], p[(p[0] & 15) * 4:total or len(p)]
    if len(p) >= 40 and p[0] >> 4 == 6 and p[6] == 132:
        return p[8:24], p[24:40], p[40:40 + struct.unpack_from("!H", p, 4)[0]]
    return None


Part = collections.namedtuple("Part", "tsn flags stream seq ppid body interleaved")


def parts(body):
    at = 12
    while at + 4 <= len(body):
        kind, flags, n = struct.unpack_from("!BBH", body, at)
        if n < 4 or at + n > len(body):
            return
        if kind == 0 and n > 16:
            tsn, stream, seq, ppid = struct.unpack_from("!IHHI", body, at + 4)
            yield Part(tsn, flags, stream, seq, ppid, body[at + 16:at + n], False)
        elif kind == 64 and n > 20:
            tsn, stream, _, seq, ppid = struct.unpack_from("!IHHII", body, at + 4)
            yield Part(tsn, flags, stream, seq, ppid, body[at + 20:at + n], True)
        at += n + 3 & ~3


def damaged(link, packets, loss, r, a):
    """The packets as they come out of a bad capture."""
    packets = packets[int(len(packets) * a.cut_start / 100):]
    if a.one_way:
        octets = collections.Counter()
        for _, p in packets:
            s = sctp_of(link, p)
            if s and len(s[2]) > 12:
                octets[s[0]] += sum(len(c.body) for c in parts(s[2]))
        if octets:
            most = max(octets, key=octets.get)
            packets = [p for p in packets if (sctp_of(link, p[1]) or [most])[0] == most]
    kept = [p for p in packets if r.random() * 100 >= loss]
    at = [s * 1_000_000 + u for s, u in (struct.unpack(a.order + "II", h[:8]) for h, _ in kept)]
    placed = []

    def later(n, least):
        """A place behind that of packet n, up to five places and ten milliseconds: what is later was not reordered, but lost."""
        place = n + r.uniform(least, 5)
        while place > n and (int(place) >= len(at) or at[int(place)] - at[n] > 10_000):
            place -= 1
        return max(place, n)

    for n, p in enumerate(kept):
        placed.append((later(n, 1) if r.random() * 100 < a.reorder else n, n, p))
        if r.random() * 100 < a.duplicate:
            placed.append((later(n, 0), n, p))
    placed.sort(key=lambda x: x[:2])
    # The times stay where they are: it is the capture that mixed the packets up.
    times = [h[:8] for h, _ in sorted((p for _, _, p in placed), key=lambda p: struct.unpack(a.order + "II", p[0][:8]))]
    out = [(time + h[8:], p) for time, (_, _, (h, p)) in zip(times, placed)]
    return [(h, resummed(link, p, a.sums)) for h, p in out] if a.sums else out


def resummed(link, p, how):
    """The packet with a wrong checksum of SCTP, or with zero in its place."""
    s = sctp_of(link, p)
    if not s or len(s[2]) < 12:
        return p
    at = p.index(s[2])
    old = p[at + 8:at + 12]
    return p[:at + 8] + (bytes(4) if how == "zero" else bytes([old[0] ^ 0x55]) + old[1:]) + p[at + 12:]


def messages(link, packets):
    """The user messages that lie whole in the packets: {side: {TSN of the first chunk: (stream, U, PPID, octets)}}.

    A side is ports and tag: addresses may change with multihoming."""
    sides = collections.defaultdict(dict)
    for _, p in packets:
        s = sctp_of(link, p)
        if s and len(s[2]) > 12:
            sp, dp, tag = struct.unpack_from("!HHI", s[2])
            for c in parts(s[2]):
                sides[sp, dp, tag].setdefault(c.tsn, c)
    out = {}
    for side, chunks in sides.items():
        found = {}
        rows = collections.defaultdict(dict)
        for tsn, c in chunks.items():
            if c.interleaved:
                rows[c.stream, c.flags & 4, c.seq][0 if c.flags & 2 else c.ppid] = c
                continue
            if not c.flags & 2:
                continue
            row, at = [c], tsn
            while not row[-1].flags & 1:
                at = at + 1 & 0xFFFFFFFF
                n = chunks.get(at)
                if n is None or n.flags & 2 or n.stream != c.stream or (n.flags ^ c.flags) & 4:
                    break
                row.append(n)
            if row[-1].flags & 1:
                found[tsn] = (c.stream, c.flags & 4, c.ppid, b"".join(r.body for r in row))
        for row in rows.values():
            last = [f for f, c in row.items() if c.flags & 1]
            if last and 0 in row and row[0].flags & 2 and all(f in row for f in range(last[0] + 1)):
                c = row[0]
                octets = b"".join(row[f].body for f in range(last[0] + 1))
                found[c.tsn] = (c.stream, c.flags & 4, c.ppid, octets)
        out[side] = found
    return out


def told(path):
    """The whole user messages of the program's output, in order: (side, TSN of the first chunk, message)."""
    _, _, link, packets = records(path)
    open_, out = {}, []
    for head, p in packets:
        s = sctp_of(link, p)
        if not s or len(s[2]) <= 12:
            continue
        sp, dp, tag = struct.unpack_from("!HHI", s[2])
        cut = struct.unpack("<I", head[12:])[0] > len(p)
        for c in parts(s[2]):
            key = sp, dp, tag, c.stream, c.flags & 4
            if c.flags & 2:
                open_[key] = [c.tsn, c.ppid, b""]
            if key in open_ and not cut:
                open_[key][2] += c.body
                if c.flags & 1:
                    tsn, ppid, octets = open_.pop(key)
                    out.append(((sp, dp, tag), tsn, (c.stream, c.flags & 4, ppid, octets)))
    return out


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--bin", default="target/release/inet-asm")
    a.add_argument("--loss", default="1,5,20")
    a.add_argument("--seeds", type=int, default=5)
    a.add_argument("--reorder", type=float, default=0)
    a.add_argument("--duplicate", type=float, default=0)
    a.add_argument("--cut-start", type=float, default=0)
    a.add_argument("--one-way", action="store_true")
    a.add_argument("--sums", choices=["wrong", "zero"])
    a.add_argument("--keep", help="folder for the damaged captures and what came out")
    a.add_argument("captures", nargs="+")
    a = a.parse_args()
    folder = a.keep or tempfile.mkdtemp(prefix="sctp-recovery-")
    os.makedirs(folder, exist_ok=True)
    failed = False
    for loss in map(float, a.loss.split(",")):
        whole = came = twice = disorder = made_up = 0
        for capture in a.captures:
            header, a.order, link, packets = records(capture)
            for seed in range(1, a.seeds + 1):
                r = random.Random(f"{loss} {seed}")
                kept = damaged(link, packets, loss, r, a)
                name = os.path.join(folder, f"{os.path.basename(capture)}-{loss:g}-{seed}")
                with open(name + ".in.pcap", "wb") as f:
                    f.write(header + b"".join(h + p for h, p in kept))
                subprocess.run([a.bin, "-q", "--encap", "raw", "-w", name + ".out.pcap", name + ".in.pcap"], check=True)
                wanted = messages(link, kept)
                n = sum(map(len, wanted.values()))
                whole += n
                seen, latest = set(), {}
                for side, tsn, m in told(name + ".out.pcap"):
                    if wanted.get(side, {}).get(tsn) != m:
                        made_up += 1
                    elif (side, tsn) in seen:
                        twice += 1
                    else:
                        seen.add((side, tsn))
                        key = side, m[0]
                        if not m[1]:
                            disorder += key in latest and (tsn - latest[key] & 0xFFFFFFFF) >> 31
                            latest[key] = tsn
                came += len(seen)
                if len(seen) < n:
                    print(f"{capture}, {loss:g} %, seed {seed}: {len(seen)} of {n}")
        rate = came / whole if whole else 1
        print(f"{loss:g} % lost: {came} of {whole} user messages, rate {rate:.4f}, {twice} twice, "
              f"{disorder} out of order, {made_up} that are not in the capture")
        failed |= bool(came < whole or twice or disorder or made_up)
    sys.exit(failed)


if __name__ == "__main__":
    main()
