"""Conversations over TLS, written as captures with their key logs: between two ends in memory (OpenSSL, as Python has it), or between a
client and a server that a relay stands between."""
import hashlib
import os
import random
import select
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

MSS = 1448
PORT = 443


def checksum(octets):
    octets += bytes(len(octets) % 2)
    total = sum(struct.unpack("!%dH" % (len(octets) // 2), octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Capture:
    """Packets of one capture, a millisecond apart."""

    def __init__(self):
        self.packets = []
        self.micros = 1_700_000_000_000_000

    def packet(self, ends, seq, ack, flags, payload=b""):
        (src, sport), (dst, dport) = ends
        tcp = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 5 << 4, flags, 0xFFFF, 0, 0) + payload
        pseudo = src + dst + struct.pack("!BBH", 0, 6, len(tcp))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0) + src + dst
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        self.micros += 1000
        self.packets.append((self.micros, bytes([2] * 12) + b"\x08\x00" + ip + tcp))

    def write(self, path, packets=None):
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
            for micros, octets in self.packets if packets is None else packets:
                out.write(struct.pack("<IIII", micros // 10**6, micros % 10**6, len(octets), len(octets)) + octets)


class Wire:
    """A TCP connection in a capture; what each side has sent over it."""

    def __init__(self, capture, number, port=PORT):
        self.capture = capture
        client = (bytes([10, 0, 1 + number // 50000, 1]), 10000 + number % 50000)
        server = (bytes([10, 0, 0, 2]), port)
        self.ends = ((client, server), (server, client))
        self.next = [1000 + 7919 * number, 5000 + 104729 * number]
        # Where each side's octets begin, and what it has sent.
        self.first = [n + 1 for n in self.next]
        self.sent = [bytearray(), bytearray()]
        self.plain = [bytearray(), bytearray()]
        capture.packet(self.ends[0], self.next[0], 0, 2)
        capture.packet(self.ends[1], self.next[1], self.next[0] + 1, 18)
        self.next = [n + 1 for n in self.next]
        capture.packet(self.ends[0], self.next[0], self.next[1], 16)

    def send(self, side, octets):
        for at in range(0, len(octets), MSS):
            piece = octets[at : at + MSS]
            last = at + MSS >= len(octets)
            self.capture.packet(self.ends[side], self.next[side], self.next[1 - side], 24 if last else 16, piece)
            self.next[side] += len(piece)
        self.sent[side] += octets

    def close(self):
        for side in (0, 1):
            self.capture.packet(self.ends[side], self.next[side], self.next[1 - side], 17)
            self.next[side] += 1
        self.capture.packet(self.ends[0], self.next[0], self.next[1], 16)


def certificate(folder):
    """A certificate for this run: its two files."""
    names = [os.path.join(folder, name) for name in ("cert.pem", "key.pem")]
    if not os.path.exists(names[0]):
        words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost"
        subprocess.run(words.split() + ["-out", names[0], "-keyout", names[1]], check=True, stderr=subprocess.DEVNULL)
    return names


def contexts(version, ciphers, keys, folder):
    """The two ends' settings. Ciphers of TLS 1.3 are chosen by OPENSSL_CONF, which is read once for a process."""
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert, key = certificate(folder)
    server.load_cert_chain(cert, key)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.keylog_filename = keys
    for context in (client, server):
        if version != "1.3":
            context.set_ciphers(ciphers + ":@SECLEVEL=0")
        named = {"1.0": "TLSv1", "1.1": "TLSv1_1", "1.2": "TLSv1_2", "1.3": "TLSv1_3"}[version]
        context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, named)
    return client, server


class Talk:
    """TLS over a wire."""

    def __init__(self, wire, settings, session=None):
        self.wire = wire
        self.bios = [ssl.MemoryBIO() for _ in range(4)]
        # What one writes the other reads.
        a, b, c, d = self.bios
        self.sides = [
            settings[0].wrap_bio(b, a, server_hostname="localhost", session=session),
            settings[1].wrap_bio(d, c, server_side=True),
        ]
        self.outgoing, self.incoming = [a, c], [d, b]
        done = [False, False]
        while not all(done):
            for side in (0, 1):
                try:
                    self.sides[side].do_handshake()
                    done[side] = True
                except ssl.SSLWantReadError:
                    pass
                self.carry(side)

    def carry(self, side):
        octets = self.outgoing[side].read()
        if octets:
            self.wire.send(side, octets)
            self.incoming[side].write(octets)

    def say(self, side, octets):
        self.sides[side].write(octets)
        self.wire.plain[side] += octets
        self.carry(side)
        left = len(octets)
        while left:
            left -= len(self.sides[1 - side].read(left))

    def end(self):
        for side in (0, 1):
            try:
                self.sides[side].unwrap()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                pass
            self.carry(side)


def body(name, size):
    return random.Random(name).randbytes(size)


def exchange(talk, path, size):
    """A request of HTTP and its response; the SHA-256 of the body."""
    octets = body(path, size)
    talk.say(0, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n"
    talk.say(1, head.encode() + octets)
    return hashlib.sha256(octets).hexdigest()


def with_suites(suites):
    """An environment in which OpenSSL takes these suites of TLS 1.3."""
    file = tempfile.NamedTemporaryFile("w", suffix=".cnf", delete=False)
    file.write("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nCiphersuites = %s\n" % suites)
    file.close()
    return {**os.environ, "OPENSSL_CONF": file.name}


class Relay:
    """Takes one connection after the other to the port of a server, and writes down what goes over it. Nothing is captured, so that no rights are needed."""

    def __init__(self, capture, server, port=PORT, first=0):
        self.capture, self.server, self.wire_port, self.first = capture, server, port, first
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.wires = []
        # What several connections send at once is written one by one.
        self.lock = threading.Lock()
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                wire = Wire(self.capture, self.first + len(self.wires), self.wire_port)
                self.wires.append(wire)
            wire.ended = threading.Event()
            threading.Thread(target=self.relay, args=(wire, client), daemon=True).start()

    def relay(self, wire, client):
        server = socket.create_connection(("127.0.0.1", self.server))
        other, side = {client: server, server: client}, {client: 0, server: 1}
        left = [client, server]
        while left:
            for one in select.select(left, [], [])[0]:
                try:
                    octets = one.recv(1 << 16)
                except OSError:
                    octets = b""
                if octets:
                    with self.lock:
                        wire.send(side[one], octets)
                    try:
                        other[one].sendall(octets)
                    except OSError:
                        pass
                    continue
                left.remove(one)
                try:
                    other[one].shutdown(socket.SHUT_WR)
                except OSError:
                    pass
        with self.lock:
            wire.close()
        client.close()
        server.close()
        wire.ended.set()

    def end(self):
        """Waits until all connections have ended."""
        for wire in self.wires:
            wire.ended.wait(20)
        self.listener.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def wait_for(port):
    """Until somebody listens there."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"nobody listens on port {port}")
