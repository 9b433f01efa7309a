#!/usr/bin/env python3
"""Makes a damaged capture from a clean one. The same arguments give the same octets.

  damage.py [OPTIONS] IN.pcap OUT.pcap

  --connection N     keep only the Nth TCP connection (from 0); may be repeated
  --cut-start N      leave out the first N packets
  --drop N           leave out the Nth segment with payload from the server (from 0; -1 is the last); may be repeated
  --swap N           swap that segment with the next one of the same stream; may be repeated
  --loss P           leave out each packet with probability P
  --reorder P        move each packet up to 5 places back with probability P
  --duplicate P      repeat each packet up to 5 places later with probability P
  --seed S           of the random choices (1)
  --tag VID          put an 802.1Q tag in front (repeat it: the first is the outer one, 802.1ad)
  --snap N           keep at most N octets of each packet

Options work in this order. IN is pcap of Ethernet, microseconds or nanoseconds. A packet's time is that of its place in
OUT: times never go back.
"""
import argparse
import random
import struct
import sys

ORDERS = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\xa1\xb2\x3c\x4d": ">",
}


def read(path):
    """The file header, the byte order, and (time, original length, octets) of each record."""
    with open(path, "rb") as file:
        data = file.read()
    order = ORDERS.get(data[:4])
    if order is None:
        sys.exit(f"{path}: no pcap")
    if struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF != 1:
        sys.exit(f"{path}: not Ethernet")
    records, at = [], 24
    while at < len(data):
        seconds, fraction, captured, original = struct.unpack_from(order + "IIII", data, at)
        records.append(((seconds, fraction), original, data[at + 16:at + 16 + captured]))
        at += 16 + captured
    return data[:24], order, records


def segment(packet):
    """(source, destination, flags, octets of payload) of a TCP segment, or None. Endpoints are (address, port)."""
    at = 12
    while packet[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    kind, at = packet[at:at + 2], at + 2
    if kind == b"\x08\x00" and packet[at + 9] == 6:
        addresses = packet[at + 12:at + 16], packet[at + 16:at + 20]
        end = at + int.from_bytes(packet[at + 2:at + 4], "big")
        at += (packet[at] & 15) * 4
    elif kind == b"\x86\xdd" and packet[at + 6] == 6:
        addresses = packet[at + 8:at + 24], packet[at + 24:at + 40]
        end = at + 40 + int.from_bytes(packet[at + 4:at + 6], "big")
        at += 40
    else:
        return None
    ports = struct.unpack_from("!HH", packet, at)
    payload = end - at - (packet[at + 12] >> 4) * 4
    return (addresses[0], ports[0]), (addresses[1], ports[1]), packet[at + 13], payload


def connections(packets):
    """For each packet the number of its connection (None: no TCP) and whether the server, who did not send the SYN, sent it."""
    known, out, count = {}, [], 0
    for packet in packets:
        found = segment(packet)
        if found is None:
            out.append((None, False))
            continue
        source, destination, flags, _ = found
        key = frozenset((source, destination))
        if key not in known or flags & 0x12 == 0x02:
            client = source if source[1] > destination[1] else destination
            known[key] = count, source if flags & 0x12 == 0x02 else client
            count += 1
        out.append((known[key][0], source != known[key][1]))
    return out


def tagged(packet, vids):
    tags = b""
    for place, vid in enumerate(vids):
        outer = len(vids) > 1 and place == 0
        tags += (b"\x88\xa8" if outer else b"\x81\x00") + struct.pack("!H", vid)
    return packet[:12] + tags + packet[12:]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--connection", type=int, action="append")
    parser.add_argument("--cut-start", type=int, default=0)
    parser.add_argument("--drop", type=int, action="append", default=[])
    parser.add_argument("--swap", type=int, action="append", default=[])
    parser.add_argument("--loss", type=float, default=0)
    parser.add_argument("--reorder", type=float, default=0)
    parser.add_argument("--duplicate", type=float, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tag", type=int, action="append", default=[])
    parser.add_argument("--snap", type=int)
    parser.add_argument("input")
    parser.add_argument("output")
    args = parser.parse_args()

    header, order, records = read(args.input)
    if args.connection is not None:
        numbers = connections([r[2] for r in records])
        records = [r for r, (n, _) in zip(records, numbers) if n in args.connection]
    records = records[args.cut_start:]

    # Segments with payload from servers, as (place among the packets, connection).
    answers = []
    for place, (number, from_server) in enumerate(connections([r[2] for r in records])):
        if from_server and segment(records[place][2])[3] > 0:
            answers.append((place, number))
    octets = [(original, data) for _, original, data in records]
    for n in args.swap:
        place, number = answers[n]
        other = next(p for p, c in answers[answers.index((place, number)) + 1:] if c == number)
        octets[place], octets[other] = octets[other], octets[place]
    gone = {answers[n][0] for n in args.drop}

    chance = random.Random(args.seed)
    placed = []
    for place, packet in enumerate(octets):
        if place in gone or chance.random() < args.loss:
            continue
        back = chance.uniform(1, 5) if chance.random() < args.reorder else 0
        placed.append((place + back, place, packet))
        if chance.random() < args.duplicate:
            placed.append((place + back + chance.uniform(0.5, 5), place, packet))
    placed.sort(key=lambda p: p[:2])

    with open(args.output, "wb") as file:
        file.write(header)
        for at, _, (original, data) in placed:
            seconds, fraction = records[min(int(at), len(records) - 1)][0]
            if args.tag:
                data, original = tagged(data, args.tag), original + 4 * len(args.tag)
            if args.snap is not None:
                data = data[:args.snap]
            file.write(struct.pack(order + "IIII", seconds, fraction, len(data), original) + data)


main()
