#!/usr/bin/env python3
"""Captures made to take time or memory.

usage: attacks.py list | attacks.py NAME SIZE > attack.pcap

Each is described in the first line of its function. What they have in common: little of the input has to make much work, or much that
waits. SIZE is the number of connections, segments, datagrams or octets that the description calls n."""

import inspect
import struct
import sys
import zlib

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
OUT = []


def write(octets):
    OUT.append(octets)
    if len(OUT) > 4096:
        flush()


def flush():
    sys.stdout.buffer.write(b"".join(OUT))
    OUT.clear()


class Clock:
    """The time of the next packet, in microseconds."""

    now = 1_700_000_000_000_000
    step = 10


def start(link=101):
    write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link))


def record(packet):
    seconds, micros = divmod(Clock.now, 1_000_000)
    Clock.now += Clock.step
    write(struct.pack("<IIII", seconds, micros, len(packet), len(packet)) + packet)


def address(n):
    return bytes([10, n >> 16 & 255, n >> 8 & 255, n & 255])


def ip(protocol, payload, src=address(1), dst=address(2), ident=0, more=False, offset=0):
    place = more << 13 | offset // 8
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), ident & 0xFFFF, place, 64, protocol, 0)
    head += src + dst
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return head[:10] + struct.pack(">H", total) + head[12:] + payload


def udp(src, dst, payload):
    return struct.pack(">HHHH", src, dst, 8 + len(payload), 0) + payload


class Connection:
    """One TCP connection; `n` makes its client's address and port."""

    def __init__(self, n, port, syn=True, seq=1000):
        self.client, self.server = address(0x10000 + n // 60000), address(2)
        self.ports = (1024 + n % 60000, port)
        self.seq, self.ack = seq, 5000
        if syn:
            self.send(b"", SYN)
            self.seq += 1
            self.answer(b"", SYN | ACK)
            self.ack += 1

    def segment(self, forward, seq, ack, flags, payload):
        ports = self.ports if forward else self.ports[::-1]
        ends = (self.client, self.server) if forward else (self.server, self.client)
        if flags == SYN:
            ack = 0
        tcp = struct.pack(">HHIIBBHHH", *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, 65535, 0, 0)
        record(ip(6, tcp + payload, *ends))

    def send(self, payload, flags=ACK, at=None):
        self.segment(True, self.seq if at is None else at, self.ack, flags, payload)
        self.seq += len(payload) if at is None else 0

    def answer(self, payload, flags=ACK, at=None):
        self.segment(False, self.ack if at is None else at, self.seq, flags, payload)
        self.ack += len(payload) if at is None else 0


def sctp(n, chunks, tag=7):
    head = struct.pack(">HHII", 1024 + n % 60000, 2905, tag, 0)
    record(ip(132, head + chunks, src=address(0x10000 + n // 60000)))


def dribble(port, head, octets, n, size=1):
    """A response from the middle: a head in one segment, then n octets in small ones."""
    c = Connection(0, port, syn=False)
    c.answer(head, PSH | ACK)
    data = (octets * (n // len(octets) + 1))[:n]
    for at in range(0, n, size):
        c.answer(data[at : at + size])


ATTACKS = {}


def attack(function):
    ATTACKS[function.__name__] = function
    return function


@attack
def tcp_syn(n):
    "n half-open connections"
    for k in range(n):
        Connection(k, 80, syn=False).send(b"", SYN)


@attack
def tcp_mid(n):
    "n connections from the middle, one segment of 100 octets each"
    for k in range(n):
        Connection(k, 9999, syn=False).send(b"x" * 100)


@attack
def tcp_mid_http(n):
    "n connections from the middle, the beginning of a response in each"
    for k in range(n):
        Connection(k, 80, syn=False).answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100)


@attack
def tcp_gap_http(n):
    "n connections: SYN, then a response behind a hole; a hole that is given up makes a message, which takes more"
    for k in range(n):
        c = Connection(k, 80, syn=False)
        c.answer(b"", SYN | ACK)
        c.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 60, at=c.ack + 2)


@attack
def responses_begun(n):
    "n connections, in each the beginning of a response: outputs keep something for each of them"
    for k in range(n):
        c = Connection(k, 80)
        c.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nContent-Type: text/plain\r\n\r\nx")


@attack
def tcp_rounds(n):
    "n connections at once: all SYNs, then all SYN-ACKs, then a request in each"
    Clock.step = 5
    each = [Connection(k, 80, syn=False) for k in range(n)]
    for c in each:
        c.send(b"", SYN)
        c.seq += 1
    for c in each:
        c.answer(b"", SYN | ACK)
        c.ack += 1
    for c in each:
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", PSH | ACK)


@attack
def tcp_comb(n):
    "n segments of one octet, every other octet missing, 64 holes in each connection"
    for k in range(n):
        if k % 64 == 0:
            c = Connection(k // 64, 9999)
        c.send(b"x", at=c.seq + 1 + 2 * (k % 64))


@attack
def tcp_reverse(n):
    "n segments of one octet, the last one first"
    c = Connection(0, 9999)
    for k in range(n, 0, -1):
        c.send(b"x", at=c.seq + k)


@attack
def framer_left(n):
    "n connections that end while their octets wait for a decision; the other direction is recognised behind that"
    doip = b"\x02\xfd\x80\x01\x07\xff\xff\xff"
    for k in range(n):
        Clock.step = 10
        c = Connection(k, 9999, syn=False)
        c.answer(b"\x00\xff" * 20)
        Clock.step = 250_000
        c.send(doip)
        c.send(b"GET / HTTP/1.0\r\n\r\n" * 50)
        c.answer(b"\x00\xff" * 20)
        Clock.step = 10
        requests = b"GET / HTTP/1.0\r\n\r\n" * 850
        for at in range(0, len(requests), 1400):
            c.send(requests[at : at + 1400], PSH | ACK)
        c.answer(b"\x00\xff" * 20)
        c.send(b"", FIN | ACK)
        c.seq += 1
        c.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        c.answer(b"", FIN | ACK)
        c.ack += 1
        c.send(b"")


@attack
def pipelined(n):
    "n requests without an answer"
    c = Connection(0, 80)
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for _ in range(0, n, 50):
        c.send(request * 50)


@attack
def header_octets(n):
    "a header section without end, n segments of one octet"
    c = Connection(0, 80)
    c.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    for _ in range(n):
        c.send(b"x")


@attack
def status_octets(n):
    "a status line without end, n segments of one octet"
    c = Connection(0, 80)
    c.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    c.answer(b"HTTP/1.1 200 ")
    for _ in range(n):
        c.answer(b"x")


@attack
def weak_header(n):
    "MySQL from the middle: a header of 16 MiB, then n zeros, one octet a segment"
    dribble(3306, b"\xff\xff\xff\x01", b"\0", n)


@attack
def random_middle(n):
    "n octets of no protocol from the middle, 100 octets a segment"
    noise = b"".join(struct.pack(">I", k * 2654435761 & 0xFFFFFFFF) for k in range(4096))
    dribble(9999, b"", noise, n, 100)


@attack
def holes_in_body(n):
    "one body with n holes of one octet, each acknowledged"
    c = Connection(0, 80)
    c.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    c.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    for _ in range(n):
        c.ack += 1
        c.answer(b"x" * 10)
        c.send(b"")


@attack
def form_heads(n):
    "a form of n parts, each with a header of 16000 octets"
    parts = b""
    for k in range(n):
        head = b"Content-Disposition: form-data; name=a; filename=f%d\r\nX: " % k
        parts += b"--b\r\n" + head + b"y" * 16000 + b"\r\n\r\nz\r\n"
    parts += b"--b--\r\n"
    c = Connection(0, 80)
    c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n" % len(parts))
    for at in range(0, len(parts), 1400):
        c.send(parts[at : at + 1400])


@attack
def bomb(n):
    "gzip of n zeros"
    packer = zlib.compressobj(9, 8, 31)
    body = b"".join(packer.compress(bytes(1 << 16)) for _ in range(n >> 16)) + packer.flush()
    c = Connection(0, 80)
    c.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    c.answer(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body))
    for at in range(0, len(body), 1400):
        c.answer(body[at : at + 1400])


@attack
def fragment_keys(n):
    "n datagrams of which the first fragment came"
    for k in range(n):
        record(ip(17, udp(1, 2, bytes(88)), src=address(k >> 16), ident=k, more=True))


@attack
def fragment_comb(n):
    "n fragments of 8 octets, every other one, the last one first"
    each = 4000
    for k in range(n):
        record(ip(17, bytes(8), ident=k // each, more=True, offset=16 * (each - k % each)))


@attack
def udp_flows(n):
    "n UDP flows of one datagram"
    for k in range(n):
        record(ip(17, udp(1024 + k % 60000, 9, b"x"), src=address(0x10000 + k // 60000)))


@attack
def udp_copies(n):
    "n pairs of UDP datagrams on two VLANs, with other octets and one digest for those who know no key"
    factor = 0x082EFA98EC4E6C89
    factor = (factor >> 16 | factor << 48) & (1 << 64) - 1
    for k in range(n):
        for vlan, text in ((10, b"goodgood"), (20, b"EVILEVIL")):
            packet = ip(17, udp(1000, 514, struct.pack("<Q", factor) + text), ident=k)
            record(b"\2" * 12 + struct.pack(">HHH", 0x8100, vlan, 0x0800) + packet)


udp_copies.link = 1


@attack
def networks(n):
    "n VXLAN networks of one datagram each (to be read with --decapsulate all)"
    for k in range(n):
        inner = b"\2" * 12 + b"\x08\0" + ip(17, udp(1, 2, b"x"))
        record(ip(17, udp(5000, 4789, struct.pack(">II", 0x08000000, (k & 0xFFFFFF) << 8) + inner)))


@attack
def sctp_middle(n):
    "n associations from the middle with one DATA chunk"
    for k in range(n):
        sctp(k, struct.pack(">BBHIHHI", 0, 3, 20, 1000, 0, 5, 0) + b"abcd", tag=k + 1)


@attack
def sctp_waiting(n):
    "n associations from the middle with an open message, a chunk behind a hole and one of another stream"
    for k in range(n):
        for flags, tsn, stream in ((2, 1000, 0), (3, 1005, 0), (6, 1008, 0), (3, 1010, 9)):
            sctp(k, struct.pack(">BBHIHHI", 0, flags, 20, tsn, stream, 5, 0) + b"abcd", tag=k + 1)


@attack
def sctp_init(n):
    "n INIT chunks, each from another port"
    for k in range(n):
        sctp(k, struct.pack(">BBHIIHHI", 1, 0, 20, k + 1, 65535, 10, 10, 1000), tag=0)


def main():
    if sys.argv[1:] == ["list"]:
        for name, function in ATTACKS.items():
            print(f"{name:16} {inspect.getdoc(function)}")
    elif len(sys.argv) == 3 and sys.argv[1] in ATTACKS:
        function = ATTACKS[sys.argv[1]]
        start(getattr(function, "link", 101))
        function(int(float(sys.argv[2])))
        flush()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
