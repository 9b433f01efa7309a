#!/usr/bin/env python3
"""Writes a pcap of TCP streams of random octets to stdout: random-streams.py MEGABYTES [SEED]

Half of the connections begin with their handshake, the others in the middle; every second one is on a port that hints
at a protocol. `random-streams.py 100 | inet-asm -n -s` must find no message but those of the protocol `data`.
"""
import random
import struct
import sys

PORTS = [80, 443, 5060, 554, 6379, 5432, 179, 445, 3868, 13400, 5672, 1883, 389, 3306, 30490, 102, 502, 2404, 27017, 53, 25, 21, 110, 143]


def main():
    total, r = int(float(sys.argv[1]) * 1e6), random.Random(sys.argv[2] if len(sys.argv) > 2 else "1")
    out = sys.stdout.buffer
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
    time, n = 1_700_000_000_000_000, 0

    def packet(ports, seq, ack, flags, data):
        nonlocal time
        time += 100
        tcp = struct.pack(">HHIIBBHHH", *ports, seq % 2**32, ack, 0x50, flags, 65000, 0, 0) + data
        ip = struct.pack(">BBHHHBBH8B", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, 192, 0, 2, n >> 16 & 255, 198, 51, 100, 1)
        out.write(struct.pack("<IIII", time // 10**6, time % 10**6, len(ip) + len(tcp), len(ip) + len(tcp)) + ip + tcp)

    while total > 0:
        n += 1
        ports = (1024 + n % 60000, r.choice(PORTS) if n % 2 else 47000)
        if n & 4:
            ports = ports[::-1]
        size = r.choice([2_000, 20_000, 400_000])
        total -= size
        seq = r.getrandbits(32)
        if n & 2:
            packet(ports, seq - 1, 0, 2, b"")
        data = r.randbytes(size)
        at = 0
        while at < size:
            piece = data[at:at + r.choice([1460, 1460, 1460, r.randrange(1, 1460)])]
            # One in fifty is lost.
            if r.random() > 0.02:
                packet(ports, seq + at, 1, 0x18 if r.random() < 0.3 else 0x10, piece)
            at += len(piece)
        packet(ports, seq + size, 1, 4, b"")


main()
