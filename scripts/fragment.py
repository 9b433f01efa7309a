#!/usr/bin/env python3
"""Fragments every IP datagram of a pcap of Ethernet packets that is longer than SIZE octets of payload.

  fragment.py [--size N] [--seed N] [--shuffle] [--double N] IN OUT

--shuffle: the fragments of a datagram come in any order; --double N: every Nth fragment comes twice.
IPv4: RFC 791; IPv6: RFC 8200, 4.5. The same input and seed give the same octets.
"""
import argparse, random, struct


def checksum(octets):
    total = sum(struct.unpack("!%dH" % (len(octets) // 2), octets))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def pieces(payload, size):
    for at in range(0, len(payload), size):
        yield at, payload[at:at + size], at + size < len(payload)


def v4(packet, size, ident):
    header, length = packet[:(packet[0] & 15) * 4], struct.unpack_from("!H", packet, 2)[0]
    payload = packet[len(header):length]
    if len(payload) <= size:
        return [packet]
    out = []
    for at, data, more in pieces(payload, size):
        h = bytearray(header)
        struct.pack_into("!HHH", h, 2, len(h) + len(data), ident, at // 8 | (0x2000 if more else 0))
        struct.pack_into("!H", h, 10, 0)
        struct.pack_into("!H", h, 10, checksum(bytes(h)))
        out.append(bytes(h) + data)
    return out


def v6(packet, size, ident):
    payload = packet[40:40 + struct.unpack_from("!H", packet, 4)[0]]
    if len(payload) <= size:
        return [packet]
    out = []
    for at, data, more in pieces(payload, size):
        h = bytearray(packet[:40])
        struct.pack_into("!HB", h, 4, 8 + len(data), 44)
        out.append(bytes(h) + struct.pack("!BBHI", packet[6], 0, at | more, ident) + data)
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--size", type=int, default=256)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--shuffle", action="store_true")
    p.add_argument("--double", type=int, default=0)
    p.add_argument("input")
    p.add_argument("output")
    a = p.parse_args()
    rng, ident, count = random.Random(a.seed), 1, 0
    octets = open(a.input, "rb").read()
    assert octets[:4] == b"\xd4\xc3\xb2\xa1", "a pcap file in little-endian order"
    out, at = bytearray(octets[:24]), 24
    while at < len(octets):
        sec, usec, have, whole = struct.unpack_from("<4I", octets, at)
        packet = octets[at + 16:at + 16 + have]
        at += 16 + have
        kind = packet[12:14]
        split = {b"\x08\x00": v4, b"\x86\xdd": v6}.get(kind)
        parts = [packet[14:]] if split is None or have < whole else split(packet[14:], a.size, ident)
        ident += 1
        if a.shuffle:
            rng.shuffle(parts)
        for part in parts:
            count += 1
            again = 2 if a.double and len(parts) > 1 and count % a.double == 0 else 1
            for _ in range(again):
                record = packet[:14] + part
                out += struct.pack("<4I", sec, usec, len(record), len(record)) + record
    open(a.output, "wb").write(out)


if __name__ == "__main__":
    main()
