#!/usr/bin/env python3
"""One end of SCTP associations of a real stack in user space (usrsctp over raw sockets: needs root and libusrsctp2).

  sctp-peer.py serve PORT...                    answers each message in its stream, with its PPID, until it is ended
  sctp-peer.py ask ADDRESS PORT PPID WORD...    one association, which ends when all is answered

Words, in the order in which they are done:
  N@SIZE/S     N messages of SIZE octets, in turn on the streams 0 to S-1
  uN@SIZE/S    the same, unordered
  rN@SIZE/S    the same, sent once at most (RFC 3758)
  path         the other side's second address, 198.51.100.x, is the primary one from now on
  reset        the outgoing streams start anew (RFC 6525)
  i            only as the first word: I-DATA chunks (RFC 8260)

Messages are of the protocol of their PPID as far as tshark looks: 3 M3UA, 18 S1AP, 46 Diameter, 60 NGAP; else octets.
For each message that is sent a line is printed: server's port, `ask` or `serve`, stream, U or -, PPID, length, and the
first eight digits of its SHA-256.
"""
import ctypes
import hashlib
import re
import socket
import struct
import sys
import threading
import time

lib = ctypes.CDLL("libusrsctp.so.2")
for name in ("usrsctp_socket", "usrsctp_accept"):
    getattr(lib, name).restype = ctypes.c_void_p
lib.usrsctp_sendv.restype = lib.usrsctp_recvv.restype = ctypes.c_ssize_t
SCTP = 132
UNORDERED, RTX = 0x0400, 0x0003
INITMSG, NODELAY, PRIMARY, INTERLEAVE, RCVINFO = 3, 4, 7, 0x10, 0x1F
ENABLE_RESET, RESET, INTERLEAVING = 0x900, 0x901, 0x1206


def address(host, port):
    return struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton(host))


def option(so, number, value):
    if lib.usrsctp_setsockopt(so, SCTP, number, value, len(value)) < 0:
        sys.exit(f"usrsctp refuses option {number:#x}")


def open_socket(interleaving):
    so = ctypes.c_void_p(lib.usrsctp_socket(socket.AF_INET, socket.SOCK_STREAM, SCTP, None, None, 0, None))
    option(so, INITMSG, struct.pack("=HHHH", 16, 16, 0, 0))
    option(so, NODELAY, struct.pack("=i", 1))
    option(so, RCVINFO, struct.pack("=i", 1))
    option(so, ENABLE_RESET, struct.pack("=II", 0, 1))
    if interleaving:
        option(so, INTERLEAVE, struct.pack("=i", 2))
        option(so, INTERLEAVING, struct.pack("=II", 0, 1))
    return so


def send(so, who, octets, stream, ppid, flags=0, retransmissions=None):
    u, digest = "U" if flags & UNORDERED else "-", hashlib.sha256(octets).hexdigest()[:8]
    print(*who, stream, u, ppid, len(octets), digest, flush=True)
    info = struct.pack("=HHIII", stream, flags, socket.htonl(ppid), 0, 0)
    policy = struct.pack("=HHI", RTX if retransmissions is not None else 0, 0, retransmissions or 0)
    spa = struct.pack("=I", 1 | 2 * (retransmissions is not None)) + info + policy + bytes(4)
    if lib.usrsctp_sendv(so, octets, ctypes.c_size_t(len(octets)), None, 0, spa, len(spa), 4, 0) < 0:
        sys.exit("usrsctp_sendv failed")


def receive(so):
    """(octets, stream, PPID), or None at the end of the association."""
    octets = b""
    while True:
        buffer, info = ctypes.create_string_buffer(1 << 17), ctypes.create_string_buffer(64)
        name, name_len, info_len = ctypes.create_string_buffer(128), ctypes.c_uint32(128), ctypes.c_uint32(64)
        kind, flags = ctypes.c_uint(0), ctypes.c_int(0)
        n = lib.usrsctp_recvv(so, buffer, ctypes.c_size_t(1 << 17), name, ctypes.byref(name_len), info,
                              ctypes.byref(info_len), ctypes.byref(kind), ctypes.byref(flags))
        if n <= 0:
            return None
        octets += buffer.raw[:n]
        if flags.value & 0x80 or kind.value == 1:
            stream, _, _, ppid = struct.unpack_from("=HHHxxI", info.raw)
            return octets, stream, socket.ntohl(ppid)


def body(ppid, size, n):
    """A message of about `size` octets."""
    noise = bytes((n * 7 + i * i >> 3) & 255 for i in range(size))
    if ppid == 3:  # M3UA: DATA with a Protocol Data parameter (RFC 4666, 3.3.1) for a user that has no number
        data = struct.pack("!IIBBBB", 100, 200, 15, 2, 0, n & 15) + noise
        value = struct.pack("!HH", 0x210, 4 + len(data)) + data + bytes(-len(data) % 4)
        return struct.pack("!BBBBI", 1, 0, 1, 1, 8 + len(value)) + value
    if ppid == 46:  # Diameter: Device-Watchdog with Origin-Host (RFC 6733, 5.5)
        host = (b"host%d.example" % n).rjust(size, b"x")
        avp = struct.pack("!II", 264, 0x40 << 24 | 8 + len(host)) + host + bytes(-len(host) % 4)
        return struct.pack("!IIIII", 1 << 24 | 20 + len(avp), 1 << 31 | 280, 0, n, n) + avp
    if ppid == 18:  # S1AP: ErrorIndication with a Cause (3GPP TS 36.413)
        return bytes.fromhex("000f4008000001000240 01") + bytes([0x40 | n % 4])
    if ppid == 60:  # NGAP: ErrorIndication with a Cause (3GPP TS 38.413)
        return bytes.fromhex("0009400800000100 0f4001") + bytes([0x80 | n % 4 << 1])
    return noise


def serve(port):
    so = open_socket(True)
    name = address("0.0.0.0", port)
    if lib.usrsctp_bind(so, name, len(name)) or lib.usrsctp_listen(so, 8):
        sys.exit("usrsctp cannot listen")
    while peer := lib.usrsctp_accept(so, None, None):
        peer = ctypes.c_void_p(peer)
        n = 0
        while m := receive(peer):
            octets, stream, ppid = m
            n += 1
            send(peer, (port, "serve"), body(ppid, 24, n), stream, ppid)
        lib.usrsctp_close(peer)


def ask(host, port, ppid, plan):
    interleaving = plan[:1] == ["i"]
    so = open_socket(interleaving)
    plan = plan[interleaving:]
    name = address(host, port)
    if lib.usrsctp_connect(so, name, len(name)):
        sys.exit("usrsctp cannot connect")
    sent = 0
    for word in plan:
        if word == "path":
            second = address(re.sub(r"^192\.0\.2", "198.51.100", host), port)
            primary = second.ljust(128, b"\0") + bytes(8)
            for _ in range(20):  # until a heartbeat has confirmed it
                if lib.usrsctp_setsockopt(so, SCTP, PRIMARY, primary, len(primary)) == 0:
                    break
                time.sleep(0.1)
            continue
        if word == "reset":
            time.sleep(0.5)
            option(so, RESET, struct.pack("=IHH", 0, 2, 0))
            time.sleep(0.3)
            continue
        how, count, size, streams = re.fullmatch(r"([ur]?)(\d+)@(\d+)/(\d+)", word).groups()
        for n in range(int(count)):
            send(so, (port, "ask"), body(ppid, int(size), sent), n % int(streams), ppid, UNORDERED if how == "u" else 0,
                 0 if how == "r" else None)
            sent += 1
    for _ in range(sent):
        if receive(so) is None:
            sys.exit("the association ended early")
    lib.usrsctp_shutdown(so, 1)
    receive(so)
    lib.usrsctp_close(so)


if __name__ == "__main__":
    lib.usrsctp_init(ctypes.c_uint16(0), None, None)  # no UDP around it
    if sys.argv[1] == "serve":
        # One process has all ports: a second stack beside it would abort the associations of the first.
        threads = [threading.Thread(target=serve, args=[int(port)], daemon=True) for port in sys.argv[2:]]
        for t in threads:
            t.start()
        print("listening", file=sys.stderr, flush=True)
        for t in threads:
            t.join()
    else:
        ask(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
