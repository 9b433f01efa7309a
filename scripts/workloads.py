#!/usr/bin/env python3
"""Makes the captures that speed is measured with: the same octets for the same name and scale, everywhere.

usage: workloads.py list | workloads.py NAME SCALE > workload.pcap

Each is described in the first line of its function. SCALE is the number that the description calls n; instructions are counted
with the numbers of SLICES. All of it is Ethernet with right checksums."""

import inspect
import random
import struct
import sys
import zlib

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MSS = 1448
WORKLOADS = {}
# How large each is where instructions are counted: ten thousand packets or fewer, a second or two under callgrind.
SLICES = {"http-many": 1200, "bulk": 4000, "lossy": 4000, "conns": 3000, "udp-dns": 6000, "sctp": 4000, "ipfrag": 600}


def workload(function):
    WORKLOADS[function.__name__.replace("_", "-")] = function
    return function


def checksum(octets):
    """The Internet checksum (RFC 1071): a number modulo 65535 is the sum of its digits of 16 bits."""
    return 0xFFFF - (int.from_bytes(octets + b"\0" * (len(octets) % 2), "big") % 0xFFFF or 0xFFFF * any(octets))


def crc32c_table():
    for octet in range(256):
        for _ in range(8):
            octet = octet >> 1 ^ (0x82F63B78 if octet & 1 else 0)
        yield octet


CRC32C = tuple(crc32c_table())


def crc32c(octets):
    crc = 0xFFFFFFFF
    for octet in octets:
        crc = CRC32C[(crc ^ octet) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def address(net, n):
    return bytes([10, net, n >> 8 & 255, n & 255])


class Packets:
    """The packets of a workload, in order."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.all = []
        self.ident = 0
        # Microseconds from one packet to the next.
        self.step = 5

    def ip(self, protocol, src, dst, payload, more=False, offset=0, ident=None):
        if ident is None:
            self.ident = ident = self.ident + 1 & 0xFFFF
        place = more << 13 | offset // 8
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, place, 64, protocol, 0, src, dst)
        head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
        self.all.append(b"\2\0\0\0\0\2\2\0\0\0\0\1\x08\0" + head + payload)

    def tcp(self, src, dst, seq, ack, flags, data=b""):
        (a, ap), (b, bp) = src, dst
        options = b"\2\4\5\xb4" if flags & SYN else b"\1\1\x08\x0a" + struct.pack(">II", len(self.all), 0)
        head = struct.pack(">HHIIBBHHH", ap, bp, seq % 2**32, ack % 2**32, 80 + len(options) * 4, flags, 64240, 0, 0)
        pseudo = a + b + struct.pack(">HH", 6, len(head) + len(options) + len(data))
        total = checksum(pseudo + head + options + data)
        self.ip(6, a, b, head[:16] + struct.pack(">H", total) + head[18:] + options + data)

    def udp(self, src, dst, data):
        (a, ap), (b, bp) = src, dst
        head = struct.pack(">HHHH", ap, bp, 8 + len(data), 0)
        total = checksum(a + b + struct.pack(">HH", 17, 8 + len(data)) + head + data)
        return head[:6] + struct.pack(">H", total or 0xFFFF) + data

    def sctp(self, src, dst, tag, chunks):
        (a, ap), (b, bp) = src, dst
        packet = struct.pack(">HHII", ap, bp, tag, 0) + chunks
        self.ip(132, a, b, packet[:8] + struct.pack("<I", crc32c(packet)) + chunks)

    def text(self, octets):
        """Lines that do not compress away."""
        return b"".join(b"%016x\n" % self.random.getrandbits(64) for _ in range(octets // 17 + 1))[:octets]


class Connection:
    """A TCP connection whose segments come one at a time: what both sides say, in turns."""

    def __init__(self, packets, n, turns):
        self.packets, self.turns = packets, turns
        self.ends = [(address(1, n), 20000 + n % 40000), (address(2, n % 7), 80)]
        self.seqs = [packets.random.getrandbits(32), packets.random.getrandbits(32)]

    def send(self, side, flags, data=b""):
        self.packets.tcp(self.ends[side], self.ends[1 - side], self.seqs[side], self.seqs[1 - side], flags, data)
        self.seqs[side] += len(data) + bool(flags & (SYN | FIN))

    def steps(self):
        """Sends a packet each time the next value is asked for."""
        self.send(0, SYN)
        yield
        self.send(1, SYN | ACK)
        yield
        self.send(0, ACK)
        for side, data in self.turns:
            for n, at in enumerate(range(0, len(data), MSS)):
                self.send(side, PSH | ACK if at + MSS >= len(data) else ACK, data[at:at + MSS])
                yield
                if n % 2:
                    self.send(1 - side, ACK)
                    yield
        for side in (0, 1):
            self.send(side, FIN | ACK)
            yield


def interleave(packets, connections):
    """All connections at once, each a few packets at a time."""
    running = [c.steps() for c in connections]
    while running:
        at = packets.random.randrange(len(running))
        for _ in range(packets.random.randrange(1, 6)):
            if next(running[at], running) is running:
                running[at] = running[-1]
                running.pop()
                break


def exchange(packets):
    """A request and its response."""
    r = packets.random
    fields = b"Host: www%d.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101\r\nAccept: */*\r\nCookie: id=%012x\r\n" % (
        r.randrange(9), r.getrandbits(48))
    kind = r.random()
    if kind < 0.05:
        return b"HEAD /m.json HTTP/1.1\r\n" + fields + b"\r\n", b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 4000\r\n\r\n"
    if kind < 0.15:
        body = b'{"k":"' + b"x" * r.randrange(10, 3000) + b'"}'
        head = b"POST /post HTTP/1.1\r\n" + fields + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        return head + body, b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 7\r\n\r\nstored\n"
    head = b"HTTP/1.1 200 OK\r\nServer: x\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nConnection: keep-alive\r\n"
    if kind < 0.3:
        coded = zlib.compressobj(wbits=31)
        body = coded.compress(packets.text(3000)) + coded.flush()
        chunks = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
        head += b"Content-Type: text/html\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
        return b"GET /z.html HTTP/1.1\r\n" + fields + b"Accept-Encoding: gzip\r\n\r\n", head + chunks
    name, media, size = r.choice([(b"s.html", b"text/html", 600)] * 6 + [(b"m.json", b"application/json", 4000)] * 3 + [(b"l.js", b"application/javascript", 18000)])
    head += b'Content-Type: %s\r\nContent-Length: %d\r\nETag: "6553f1a0-%x"\r\n\r\n' % (media, size, size)
    return b"GET /%s?q=%d HTTP/1.1\r\n" % (name, r.randrange(10**6)) + fields + b"\r\n", head + packets.text(size)


@workload
def http_many(n):
    """n requests and their responses, small and large, chunked and coded ones, 20 on each connection, a hundred connections at once"""
    packets = Packets("http-many")
    for first in range(0, n, 2000):
        count = min(2000, n - first)
        connections = []
        for at in range(0, count, 20):
            turns = []
            for _ in range(min(20, count - at)):
                request, response = exchange(packets)
                turns += [(0, request), (1, response)]
            connections.append(Connection(packets, (first + at) // 20, turns))
        interleave(packets, connections)
    return packets


@workload
def bulk(n):
    """three downloads at once, of n segments together"""
    packets = Packets("bulk")
    packets.step = 200
    connections = []
    for at in range(3):
        body = packets.random.randbytes(n * MSS // 3)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % len(body)
        connections.append(Connection(packets, at, [(0, b"GET /b%d.bin HTTP/1.1\r\nHost: b.example\r\n\r\n" % at), (1, head + body)]))
    interleave(packets, connections)
    return packets


@workload
def lossy(n):
    """the same; one packet in a hundred is lost, and two come up to twenty packets late"""
    packets = bulk(n)
    r, late = packets.random, []
    for at, packet in enumerate(packets.all):
        chance = r.random()
        if chance >= 0.01:
            late.append((at + (r.randrange(1, 20) if chance < 0.03 else 0), at, packet))
    packets.all = [packet for _, _, packet in sorted(late)]
    return packets


@workload
def conns(n):
    """n connections that are all open at once: half of them with a request, a quarter with a response and an end"""
    packets = Packets("conns")
    all_of_them = []
    for i in range(n):
        request = b"GET /c/%d HTTP/1.1\r\nHost: s%d.example\r\nAccept: */*\r\n\r\n" % (i, i % 251)
        response = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 64\r\n\r\n%063d\n" % i
        all_of_them.append((Connection(packets, i, []), request, response))
    for c, _, _ in all_of_them:
        c.send(0, SYN)
    for c, request, _ in all_of_them[::2]:
        c.send(1, SYN | ACK)
        c.send(0, ACK)
        c.send(0, PSH | ACK, request)
    for c, _, response in all_of_them[::4]:
        c.send(1, PSH | ACK, response)
        c.send(1, FIN | ACK)
        c.send(0, FIN | ACK)
    return packets


@workload
def udp_dns(n):
    """n queries of DNS and their answers"""
    packets = Packets("udp-dns")
    r = packets.random
    for _ in range(n):
        client, server = (address(1, r.randrange(5000)), 1024 + r.randrange(60000)), (bytes([8, 8, 8, 8 + r.randrange(4)]), 53)
        ident, label = r.getrandbits(16), bytes(r.choices(b"abcdefghijklmnopqrstuvwxyz", k=r.randrange(3, 15)))
        question = b"\3www%c%s\7example\3com\0" % (len(label), label) + struct.pack(">HH", 1 if r.randrange(5) else 28, 1)
        query = struct.pack(">HHHHHH", ident, 0x0100, 1, 0, 0, 0) + question
        answers = [struct.pack(">HHHIH4s", 0xC00C, 1, 1, 300, 4, r.randbytes(4)) for _ in range(r.randrange(1, 4))]
        answer = struct.pack(">HHHHHH", ident, 0x8180, 1, len(answers), 0, 0) + question + b"".join(answers)
        packets.ip(17, client[0], server[0], packets.udp(client, server, query))
        packets.ip(17, server[0], client[0], packets.udp(server, client, answer))
    return packets


@workload
def sctp(n):
    """n data chunks of forty associations with sixteen streams each; three messages in ten have several chunks"""
    packets = Packets("sctp")
    r, sides = packets.random, []
    for i in range(40):
        a, b = (address(3, i), 30000 + i), (address(4, i % 7), 3868)
        tag, back, tsn, tsn_back = (r.getrandbits(31) + 1 for _ in range(4))
        packets.sctp(a, b, 0, struct.pack(">BBHIIHHI", 1, 0, 20, back, 106496, 16, 16, tsn))
        packets.sctp(b, a, back, struct.pack(">BBHIIHHIHHI", 2, 0, 28, tag, 106496, 16, 16, tsn_back, 7, 8, i))
        packets.sctp(a, b, tag, struct.pack(">BBHI", 10, 0, 8, i))
        packets.sctp(b, a, back, struct.pack(">BBH", 11, 0, 4))
        sides.append({"ends": (a, b), "tags": (tag, back), "tsn": tsn, "ssn": [0] * 16, "left": b"", "sid": 0, "unacked": 0})
    data = r.randbytes(1 << 16)
    while n > 0:
        side, chunks = r.choice(sides), b""
        while len(chunks) < 700 and n > 0:
            begins = not side["left"]
            if begins:
                side["sid"] = r.randrange(16)
                size = r.randrange(40, 940) if r.random() < 0.7 else r.randrange(1500, 20000)
                at = r.randrange(len(data) - size)
                side["left"] = data[at:at + size]
            room = 1400 - len(chunks)
            part, side["left"] = side["left"][:room], side["left"][room:]
            ends = not side["left"]
            head = struct.pack(">BBHIHHI", 0, begins << 1 | ends, 16 + len(part), side["tsn"] % 2**32, side["sid"], side["ssn"][side["sid"]], 46)
            chunks += head + part + b"\0" * (-len(part) % 4)
            side["tsn"] += 1
            side["unacked"] += 1
            side["ssn"][side["sid"]] = side["ssn"][side["sid"]] + ends & 0xFFFF
            n -= 1
        (a, b), (tag, back) = side["ends"], side["tags"]
        packets.sctp(a, b, tag, chunks)
        if side["unacked"] > 2:
            side["unacked"] = 0
            packets.sctp(b, a, back, struct.pack(">BBHIIHH", 3, 0, 16, (side["tsn"] - 1) % 2**32, 106496, 0, 0))
    return packets


@workload
def ipfrag(n):
    """n datagrams of UDP of eight thousand octets, in six fragments each, one in ten of them out of order"""
    packets = Packets("ipfrag")
    r = packets.random
    data = r.randbytes(1 << 16)
    for i in range(n):
        src, dst = (address(5, i % 500), 4000 + i % 500), (address(6, i % 3), 7000)
        at = r.randrange(len(data) - 8000)
        datagram = packets.udp(src, dst, data[at:at + 8000 - r.randrange(8)])
        pieces = [(at, datagram[at:at + 1480]) for at in range(0, len(datagram), 1480)]
        if r.random() < 0.1:
            r.shuffle(pieces)
        for at, piece in pieces:
            packets.ip(17, src[0], dst[0], piece, more=at + len(piece) < len(datagram), offset=at, ident=i & 0xFFFF)
    return packets


def write(name, scale, out):
    """Writes a workload; says how many packets it has."""
    packets = WORKLOADS[name](scale)
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
    now = 1_700_000_000_000_000
    for packet in packets.all:
        now += packets.step
        out.write(struct.pack("<IIII", now // 10**6, now % 10**6, len(packet), len(packet)) + packet)
    return len(packets.all)


def main():
    if len(sys.argv) == 3 and sys.argv[1] in WORKLOADS:
        write(sys.argv[1], int(sys.argv[2]), sys.stdout.buffer)
    elif sys.argv[1:] == ["list"]:
        for name, function in WORKLOADS.items():
            print(f"{name:10} {inspect.getdoc(function)}")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
