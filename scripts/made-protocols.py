#!/usr/bin/env python3
"""Captures of protocols whose programs are not at hand, made octet by octet from their specifications.

  made-protocols.py DIR [--load]

Writes DIR/NAME.pcap for each: a connection with its handshake, one list of messages for each direction, cut into
segments as a sender would. --load makes larger ones of some, for measurements.
"""
import argparse
import os
import random
import struct

CLIENT, SERVER = 0, 1


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Capture:
    """A pcap of one client and one server."""

    def __init__(self):
        self.records = []
        self.time = 1_700_000_000_000_000

    def packet(self, side, protocol, transport):
        self.time += 700
        addresses = [bytes([192, 0, 2, 2]), bytes([192, 0, 2, 1])]
        src, dst = addresses[side], addresses[1 - side]
        at = 16 if protocol == 6 else 6
        pseudo = src + dst + struct.pack(">BBH", 0, protocol, len(transport))
        transport = transport[:at] + struct.pack(">H", checksum(pseudo + transport)) + transport[at + 2:]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(transport), 0, 0x4000, 64, protocol, 0) + src + dst
        ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
        macs = [b"\2\0\0\0\0\2", b"\2\0\0\0\0\1"]
        data = macs[1 - side] + macs[side] + b"\x08\0" + ip + transport
        self.records.append(struct.pack("<IIII", self.time // 10**6, self.time % 10**6, len(data), len(data)) + data)

    def datagram(self, side, ports, payload):
        src, dst = ports[side], ports[1 - side]
        self.packet(side, 17, struct.pack(">HHHH", src, dst, 8 + len(payload), 0) + payload)

    def tcp(self, ports, talk, mss=1400):
        """talk: (side, octets, ...): the octets of one write, each side's in turn."""
        seq = [1000, 900_000]

        def send(side, flags, data=b""):
            ack = seq[1 - side] if flags & 0x10 else 0
            head = struct.pack(">HHIIBBHHH", ports[side], ports[1 - side], seq[side], ack, 0x50, flags, 65000, 0, 0)
            self.packet(side, 6, head + data)
            seq[side] = (seq[side] + len(data) + (flags & 3 and 1)) % 2**32

        send(CLIENT, 2), send(SERVER, 0x12), send(CLIENT, 0x10)
        for side, octets in talk:
            for at in range(0, len(octets), mss):
                piece = octets[at:at + mss]
                send(side, 0x18 if at + mss >= len(octets) else 0x10, piece)
            send(1 - side, 0x10)
        send(CLIENT, 0x11), send(SERVER, 0x11), send(CLIENT, 0x10)

    def write(self, path):
        with open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1) + b"".join(self.records))


def diameter(count):
    def avp(code, data, flags=0x40):
        return struct.pack(">II", code, flags << 24 | 8 + len(data)) + data + b"\0" * (-len(data) % 4)

    def message(code, flags, application, n, *avps):
        body = b"".join(avps)
        return struct.pack(">IIIII", 1 << 24 | 20 + len(body), flags << 24 | code, application, n, n + 77) + body

    origin = avp(264, b"client.example") + avp(296, b"example")
    yield CLIENT, message(257, 0x80, 0, 1, origin, avp(257, b"\0\1\xc0\0\2\2"), avp(266, bytes(4)), avp(269, b"made"))
    yield SERVER, message(257, 0, 0, 1, avp(268, b"\0\0\x07\xd1"), origin)
    yield CLIENT, message(280, 0x80, 0, 2, origin) + message(272, 0xC0, 4, 3, avp(263, b"session;1"), origin)
    yield SERVER, message(280, 0, 0, 2, avp(268, b"\0\0\x07\xd1"), origin)
    yield SERVER, message(272, 0x40, 4, 3, avp(263, b"session;1"), avp(268, b"\0\0\x07\xd1"), avp(1, b"x" * 3000))
    for n in range(4, 4 + count):
        session = avp(263, b"session;%d" % n)
        yield CLIENT, b"".join(message(272, 0xC0, 4, n * 4 + k, session, origin, avp(1, b"u" * (n * 37 % 900))) for k in range(n % 3 + 1))
        yield SERVER, b"".join(message(272, 0x40, 4, n * 4 + k, session, origin, avp(268, b"\0\0\x07\xd1"), avp(1, b"a" * (n * 91 % 2500))) for k in range(n % 3 + 1))


def amqp(_):
    def frame(kind, channel, body):
        return struct.pack(">BHI", kind, channel, len(body)) + body + b"\xce"

    def method(channel, cls, number, arguments=b""):
        return frame(1, channel, struct.pack(">HH", cls, number) + arguments)

    short = lambda text: bytes([len(text)]) + text
    long = lambda text: struct.pack(">I", len(text)) + text
    yield CLIENT, b"AMQP\0\0\x09\x01"
    yield SERVER, method(0, 10, 10, b"\0\x09" + long(b"") + long(b"PLAIN") + long(b"en_US"))
    yield CLIENT, method(0, 10, 11, long(b"") + short(b"PLAIN") + long(b"\0guest\0guest") + short(b"en_US"))
    yield SERVER, method(0, 10, 30, struct.pack(">HIH", 0, 131072, 60))
    yield CLIENT, method(0, 10, 31, struct.pack(">HIH", 0, 131072, 60)) + method(0, 10, 40, short(b"/") + short(b"") + b"\0")
    yield SERVER, method(0, 10, 41, short(b""))
    yield CLIENT, method(1, 20, 10, short(b""))
    yield SERVER, method(1, 20, 11, long(b""))
    body = b"a message of some length " * 100
    yield CLIENT, method(1, 60, 40, b"\0\0" + short(b"") + short(b"queue") + b"\0") + frame(2, 1, struct.pack(">HHQH", 60, 0, len(body), 0)) + frame(3, 1, body)
    yield CLIENT, frame(8, 0, b"")
    yield SERVER, frame(8, 0, b"")
    yield CLIENT, method(0, 10, 50, struct.pack(">H", 200) + short(b"bye") + bytes(4))
    yield SERVER, method(0, 10, 51)


def smb2(command, flags, n, body):
    head = b"\xfeSMB" + struct.pack("<HHIHHIIQIIQ", 64, 0, 0, command, 1, flags, 0, n, 0, 0, 0) + bytes(16)
    return struct.pack(">I", len(head) + len(body)) + head + body


def nbss(_):
    yield CLIENT, smb2(0, 0, 0, struct.pack("<HHHHI", 36, 2, 1, 0, 0) + bytes(16) + bytes(8) + b"\x02\x02\x10\x02")
    yield SERVER, smb2(0, 1, 0, struct.pack("<HHHH", 65, 1, 0x210, 0) + bytes(16) + struct.pack("<IIII", 0, 65536, 65536, 65536) + bytes(16) + struct.pack("<HHI", 128, 0, 0))
    for n in range(1, 5):
        yield CLIENT, smb2(13, 0, n, struct.pack("<HH", 4, 0))
        yield SERVER, smb2(13, 1, n, struct.pack("<HH", 4, 0))
    yield CLIENT, b"\x85\0\0\0"
    data = bytes(range(256)) * 20
    yield CLIENT, smb2(8, 0, 6, struct.pack("<HBBIQ", 49, 80, 0, len(data), 0) + bytes(16) + bytes(16) + b"\0")
    yield SERVER, smb2(8, 1, 6, struct.pack("<HBBIII", 17, 80, 0, len(data), 0, 0) + data)


def modbus(_):
    for n in range(6):
        request = struct.pack(">BBHH", 1, 3, n * 10, 10)
        answer = struct.pack(">BBB", 1, 3, 20) + bytes(range(n, n + 20))
        if n == 5:
            answer = struct.pack(">BBB", 1, 0x83, 2)
        yield CLIENT, struct.pack(">HHH", n, 0, len(request)) + request
        yield SERVER, struct.pack(">HHH", n, 0, len(answer)) + answer


def tpkt(_):
    packet = lambda body: struct.pack(">BBH", 3, 0, len(body) + 4) + body
    yield CLIENT, packet(b"\x11\xe0\0\0\0\1\0\xc1\2\1\0\xc2\2\1\2\xc0\1\x0a")
    yield SERVER, packet(b"\x11\xd0\0\1\0\2\0\xc1\2\1\0\xc2\2\1\2\xc0\1\x0a")
    setup = b"\x32\1\0\0\0\0\0\x08\0\0\xf0\0\0\1\0\1\1\xe0"
    yield CLIENT, packet(b"\2\xf0\x80" + setup)
    yield SERVER, packet(b"\2\xf0\x80" + b"\x32\3\0\0\0\0\0\x08\0\0\0\0\xf0\0\0\1\0\1\0\xf0")
    for n in range(1, 4):
        read = b"\x32\1\0\0" + struct.pack(">HHH", n, 14, 0) + b"\4\1\x12\x0a\x10\2\0\4\0\1\x84\0\0\0"
        yield CLIENT, packet(b"\2\xf0\x80" + read)
        yield SERVER, packet(b"\2\xf0\x80" + b"\x32\3\0\0" + struct.pack(">HHH", n, 2, 8) + b"\0\0\4\1\xff\4\0\x20abcd")


def someip_message(service, method, kind, n, payload):
    return struct.pack(">HHIHHBBBB", service, method, 8 + len(payload), 1, n, 1, 1, kind, 0) + payload


def someip(_):
    for n in range(1, 5):
        yield CLIENT, someip_message(0x1234, 1, 0, n, b"ask" * n)
        yield SERVER, someip_message(0x1234, 1, 0x80, n, b"answer" * n * 100) + someip_message(0x1234, 0x8001, 2, n, b"event")


def doip(_):
    message = lambda kind, payload: struct.pack(">BBHI", 2, 0xFD, kind, len(payload)) + payload
    yield CLIENT, message(5, b"\x0e\0\0\0\0\0\0")
    yield SERVER, message(6, b"\x0e\0\x10\0\x10\0\0\0\0")
    for n in range(3):
        yield CLIENT, message(0x8001, b"\x0e\0\x10\0\x22\xf1" + bytes([0x90 + n]))
        yield SERVER, message(0x8002, b"\x10\0\x0e\0\0") + message(0x8001, b"\x10\0\x0e\0\x62\xf1" + bytes([0x90 + n]) + b"WVWZZZ")
    yield CLIENT, message(7, b"")
    yield SERVER, message(8, b"\x10\0")


def bgp(_):
    message = lambda kind, body=b"": b"\xff" * 16 + struct.pack(">HB", 19 + len(body), kind) + body
    for side in CLIENT, SERVER:
        yield side, message(1, struct.pack(">BHHIB", 4, 64500 + side, 90, 0xC0000201 + side, 0))
        yield side, message(4)
    for n in range(3):
        attributes = b"\x40\1\1\0" + b"\x40\2\4\2\1" + struct.pack(">H", 64500) + b"\x40\3\4\xc0\0\2\2"
        prefixes = b"".join(bytes([24, 10, n, k]) for k in range(60))
        yield CLIENT, message(2, struct.pack(">HH", 0, len(attributes)) + attributes + prefixes) + message(4)
        yield SERVER, message(4)
    yield SERVER, message(3, b"\6\2")


def rtsp(_):
    text = lambda *lines, body=b"": "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    url = "rtsp://192.0.2.1/film"
    sdp = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=film\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    frame = lambda channel, data: struct.pack(">BBH", 0x24, channel, len(data)) + data
    rtp = lambda n: struct.pack(">BBHII", 0x80, 96, n, n * 3000, 7) + bytes([n]) * 700
    yield CLIENT, text(f"OPTIONS {url} RTSP/1.0", "CSeq: 1")
    yield SERVER, text("RTSP/1.0 200 OK", "CSeq: 1", "Public: DESCRIBE, SETUP, PLAY, TEARDOWN")
    yield CLIENT, text(f"DESCRIBE {url} RTSP/1.0", "CSeq: 2", "Accept: application/sdp")
    yield SERVER, text("RTSP/1.0 200 OK", "CSeq: 2", "Content-Type: application/sdp", f"Content-Length: {len(sdp)}", body=sdp)
    yield CLIENT, text(f"SETUP {url}/1 RTSP/1.0", "CSeq: 3", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
    yield SERVER, text("RTSP/1.0 200 OK", "CSeq: 3", "Session: 42", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
    yield CLIENT, text(f"PLAY {url} RTSP/1.0", "CSeq: 4", "Session: 42")
    yield SERVER, text("RTSP/1.0 200 OK", "CSeq: 4", "Session: 42")
    for n in range(4):
        yield SERVER, frame(0, rtp(2 * n)) + frame(0, rtp(2 * n + 1))
    yield CLIENT, text(f"TEARDOWN {url} RTSP/1.0", "CSeq: 5", "Session: 42")
    yield SERVER, frame(0, rtp(20)) + text("RTSP/1.0 200 OK", "CSeq: 5")


def iec104(_):
    i = lambda send, receive, asdu: bytes([0x68, 4 + len(asdu)]) + struct.pack("<HH", send << 1, receive << 1) + asdu
    u = lambda kind: bytes([0x68, 4, kind, 0, 0, 0])
    yield CLIENT, u(0x07)
    yield SERVER, u(0x0B)
    yield CLIENT, i(0, 0, b"\x64\1\6\0\1\0\0\0\0\x14")
    yield SERVER, i(0, 1, b"\x64\1\7\0\1\0\0\0\0\x14") + i(1, 1, b"\1\2\x14\0\1\0\1\0\0\1\2\0\0\0")
    yield CLIENT, b"\x68\4\1\0\4\0"
    yield CLIENT, u(0x43)
    yield SERVER, u(0x83)


def opcua(_):
    """OPC 10000-6, 7.1.2: a hello, a channel without security, a session's services."""
    string = lambda text: struct.pack("<i", len(text)) + text
    frame = lambda kind, body: kind + struct.pack("<I", 8 + len(body)) + body
    node = lambda number: struct.pack("<BBH", 1, 0, number)

    def channel(kind, number, request, body):
        policy = string(b"http://opcfoundation.org/UA/SecurityPolicy#None") + struct.pack("<ii", -1, -1)
        return frame(b"OPNF", struct.pack("<I", kind) + policy + struct.pack("<II", request, request) + node(number) + body)

    def message(number, request, body, chunk=b"F"):
        return frame(b"MSG" + chunk, struct.pack("<IIII", 7, 1, request, request) + node(number) + body)

    # Token, time, handle, diagnostics, audit entry, timeout, no additional header; and what an answer has.
    head = lambda handle: b"\0\0" + bytes(8) + struct.pack("<IIiI", handle, 0, -1, 1000) + b"\0\0\0"
    answer = lambda handle: bytes(8) + struct.pack("<II", handle, 0) + b"\0" + struct.pack("<i", -1) + b"\0\0\0"
    limits = struct.pack("<IIIII", 0, 65536, 65536, 0, 0)
    yield CLIENT, frame(b"HELF", limits + string(b"opc.tcp://192.0.2.1:4840"))
    yield SERVER, frame(b"ACKF", limits)
    yield CLIENT, channel(0, 446, 1, head(1) + struct.pack("<IIIiI", 0, 0, 1, -1, 3600000))
    yield SERVER, channel(7, 449, 1, answer(1) + struct.pack("<I", 0) + struct.pack("<II", 7, 1) + bytes(8) + struct.pack("<Ii", 3600000, -1))
    for n in range(2, 8):
        nodes = b"".join(struct.pack("<BBH", 1, 2, 1000 + k) + struct.pack("<Ii", 13, -1) + struct.pack("<Hi", 0, -1) for k in range(n))
        yield CLIENT, message(631, n, head(n) + struct.pack("<dIi", 0.0, 3, n) + nodes)
        values = b"".join(b"\1\x0b" + struct.pack("<d", k / 8) for k in range(n))
        yield SERVER, message(634, n, answer(n) + struct.pack("<i", n) + values + struct.pack("<i", -1))
    yield CLIENT, message(527, 9, head(9) + bytes(24))
    yield SERVER, message(397, 9, answer(9))
    yield CLIENT, frame(b"CLOF", struct.pack("<IIII", 7, 1, 10, 10) + node(452) + head(10))


def enip(_):
    """EtherNet/IP: a session, services, explicit messages of CIP."""
    def message(command, session, body, status=0):
        return struct.pack("<HHIIQI", command, len(body), session, status, 0x1122334455, 0) + body

    def cip(session, octets, unit=None):
        head = struct.pack("<IH", 0, 5)
        if unit is None:
            return message(0x6F, session, head + struct.pack("<HHHHH", 2, 0, 0, 0xB2, len(octets)) + octets)
        return message(0x70, session, head + struct.pack("<HHHIHHH", 2, 0xA1, 4, 77, 0xB1, len(octets) + 2, unit) + octets)

    yield CLIENT, message(0x04, 0, b"")
    yield SERVER, message(0x04, 0, struct.pack("<HHHHH", 1, 0x100, 20, 1, 0x120) + b"Communications\0\0")
    yield CLIENT, message(0x65, 0, struct.pack("<HH", 1, 0))
    yield SERVER, message(0x65, 0x1234, struct.pack("<HH", 1, 0))
    yield CLIENT, cip(0x1234, b"\x01\2\x20\1\x24\1")
    yield SERVER, cip(0x1234, b"\x81\0\0\0" + struct.pack("<HHHBBHI", 1, 12, 65, 2, 3, 0x30, 4711) + b"\5DRIVE")
    for n in range(4):
        tag = b"TAG%d" % n
        yield CLIENT, cip(0x1234, b"\x4c\3\x91\4" + tag + struct.pack("<H", 1), n)
        yield SERVER, cip(0x1234, b"\xcc\0\0\0" + struct.pack("<HI", 0xC4, n), n)
    yield CLIENT, message(0x66, 0x1234, b"")


def dnp3_frame(control, to, by, data):
    """IEEE 1815, 9.2: a header with its sum, data in blocks with a sum each."""
    def summed(octets):
        crc = 0
        for octet in octets:
            crc ^= octet
            for _ in range(8):
                crc = crc >> 1 ^ 0xA6BC if crc & 1 else crc >> 1
        return octets + struct.pack("<H", ~crc & 0xFFFF)

    head = struct.pack("<BBBBHH", 5, 0x64, 5 + len(data), control, to, by)
    return summed(head) + b"".join(summed(data[at:at + 16]) for at in range(0, len(data), 16))


def dnp3(_):
    master = lambda data: dnp3_frame(0xC4, 10, 1, data)
    outstation = lambda data: dnp3_frame(0x44, 1, 10, data)
    yield CLIENT, dnp3_frame(0xC9, 10, 1, b"")
    yield SERVER, dnp3_frame(0x0B, 1, 10, b"")
    yield CLIENT, master(b"\xc0\xc0\1\x3c\2\6\x3c\3\6\x3c\4\6\x3c\1\6")
    counters = b"".join(struct.pack("<BI", 1, n) for n in range(40))
    answer = b"\xe0\x81\0\0\x14\1\0\0\x27" + counters
    yield SERVER, outstation(b"\x40" + answer[:200]) + outstation(b"\x81" + answer[200:])
    yield CLIENT, master(b"\xc1\xc0\0")
    yield SERVER, outstation(b"\xc2\xf1\x82\0\0\2\1\x17\1\3\x81")
    yield CLIENT, master(b"\xc2\xd1\0")
    yield CLIENT, master(b"\xc3\xc1\5\x0c\1\x17\1\1\3\1" + struct.pack("<II", 100, 100) + b"\0")
    yield SERVER, outstation(b"\xc3\xc1\x81\0\0\x0c\1\x17\1\1\3\1" + struct.pack("<II", 100, 100) + b"\0")


def dicom(_):
    """PS3.8, 9.3, and PS3.7, 9.3: three objects are stored, in units of one value, of several, and with the command in front."""
    unit = lambda kind, body: struct.pack(">BxI", kind, len(body)) + body
    item = lambda kind, body: struct.pack(">BxH", kind, len(body)) + body
    value = lambda context, what, body: struct.pack(">IBB", len(body) + 2, context, what) + body
    even = lambda text: text + b"\0" * (len(text) % 2)
    implicit = lambda group, number, body: struct.pack("<HHI", group, number, len(body)) + body
    short = lambda number: struct.pack("<H", number)
    image, verification = b"1.2.840.10008.5.1.4.1.1.7", b"1.2.840.10008.1.1"
    syntaxes = {1: b"1.2.840.10008.1.2", 3: b"1.2.840.10008.1.2.1", 5: b"1.2.840.10008.1.2"}
    titles = b"ARCHIVE".ljust(16) + b"SCANNER".ljust(16) + bytes(32)
    named = item(0x10, b"1.2.840.10008.3.1.1.1")
    user = item(0x50, item(0x51, struct.pack(">I", 2048)))

    def command(*elements):
        body = b"".join(implicit(0, number, content) for number, content in elements)
        return implicit(0, 0, struct.pack("<I", len(body))) + body

    def explicit(group, number, kind, body):
        length = struct.pack("<HI", 0, len(body)) if kind == b"OW" else struct.pack("<H", len(body))
        return struct.pack("<HH", group, number) + kind + length + body

    asked = b"".join(item(0x20, bytes([n, 0, 0, 0]) + item(0x30, verification if n == 5 else image) + item(0x40, syntax))
                     for n, syntax in syntaxes.items())
    agreed = b"".join(item(0x21, bytes([n, 0, 0, 0]) + item(0x40, syntax)) for n, syntax in syntaxes.items())
    yield CLIENT, unit(1, b"\0\1\0\0" + titles + named + asked + user)
    yield SERVER, unit(2, b"\0\1\0\0" + titles + named + agreed + user)
    yield CLIENT, unit(4, value(5, 3, command((2, even(verification)), (0x100, short(0x30)), (0x110, short(1)), (0x800, short(0x101)))))
    yield SERVER, unit(4, value(5, 3, command((2, even(verification)), (0x100, short(0x8030)), (0x120, short(1)),
                                              (0x800, short(0x101)), (0x900, short(0)))))
    for n, context in enumerate([1, 3, 1], 2):
        instance = b"1.2.826.0.1.3680043.9.1%d" % n
        pixels = random.Random(n).randbytes(1500 * n)
        if context == 3:
            data = explicit(8, 0x16, b"UI", even(image)) + explicit(8, 0x18, b"UI", even(instance)) + explicit(0x7fe0, 0x10, b"OW", pixels)
        else:
            data = implicit(8, 0x16, even(image)) + implicit(8, 0x18, even(instance)) + implicit(0x7fe0, 0x10, pixels)
        store = command((2, even(image)), (0x100, short(1)), (0x110, short(n)), (0x700, short(0)), (0x800, short(0)),
                        (0x1000, even(instance)))
        values = [value(context, 2 * (at + 1000 >= len(data)), data[at:at + 1000]) for at in range(0, len(data), 1000)]
        if n == 4:
            values[:1] = [value(context, 3, store) + values[0]]
        else:
            yield CLIENT, unit(4, value(context, 3, store))
        if n == 3:
            values = [b"".join(values[at:at + 2]) for at in range(0, len(values), 2)]
        yield CLIENT, b"".join(unit(4, v) for v in values)
        yield SERVER, unit(4, value(context, 3, command((2, even(image)), (0x100, short(0x8001)), (0x120, short(n)),
                                                        (0x800, short(0x101)), (0x900, short(0)), (0x1000, even(instance)))))
    yield CLIENT, unit(5, bytes(4))
    yield SERVER, unit(6, bytes(4))


def cql(_):
    """native_protocol_v4.spec, 2."""
    string = lambda text: struct.pack(">H", len(text)) + text
    long = lambda text: struct.pack(">I", len(text)) + text
    ask = lambda stream, kind, body=b"": struct.pack(">BBhBI", 4, 0, stream, kind, len(body)) + body
    answer = lambda stream, kind, body=b"": struct.pack(">BBhBI", 0x84, 0, stream, kind, len(body)) + body
    yield CLIENT, ask(0, 5)
    yield SERVER, answer(0, 6, struct.pack(">H", 1) + string(b"CQL_VERSION") + struct.pack(">H", 1) + string(b"3.4.5"))
    yield CLIENT, ask(1, 1, struct.pack(">H", 1) + string(b"CQL_VERSION") + string(b"3.0.0"))
    yield SERVER, answer(1, 2)
    query = lambda text: long(text) + struct.pack(">HB", 1, 0)
    yield CLIENT, ask(2, 7, query(b"USE shop"))
    yield SERVER, answer(2, 8, struct.pack(">I", 3) + string(b"shop"))
    for n in range(3, 9):
        yield CLIENT, b"".join(ask(n * 4 + k, 7, query(b"SELECT name FROM goods WHERE id = %d" % (n + k))) for k in range(n % 3 + 1))
        rows = lambda k: struct.pack(">IIII", 2, 4, 1, 1) + long(b"a thing " * (n * 20 + k))
        yield SERVER, b"".join(answer(n * 4 + k, 8, rows(k)) for k in range(n % 3 + 1))
    yield CLIENT, ask(99, 7, query(b"SELECT nothing"))
    yield SERVER, answer(99, 0, struct.pack(">I", 0x2000) + string(b"line 1:14 no viable alternative"))


def kafka(_):
    """Apache Kafka protocol guide: requests have API, version, a number and the client's name; responses repeat the number."""
    string = lambda text: struct.pack(">h", len(text)) + text
    message = lambda body: struct.pack(">I", len(body)) + body
    ask = lambda api, version, n, body: message(struct.pack(">hhi", api, version, n) + string(b"a client") + body)
    answer = lambda n, body: message(struct.pack(">i", n) + body)
    yield CLIENT, ask(18, 0, 1, b"")
    yield SERVER, answer(1, struct.pack(">hi", 0, 3) + b"".join(struct.pack(">hhh", api, 0, 2) for api in (0, 3, 18)))
    yield CLIENT, ask(3, 0, 2, struct.pack(">i", 1) + string(b"goods"))
    broker = struct.pack(">i", 1) + string(b"192.0.2.1") + struct.pack(">i", 9092)
    partition = struct.pack(">hiiiiii", 0, 0, 1, 1, 1, 1, 1)
    topic = struct.pack(">h", 0) + string(b"goods") + struct.pack(">i", 1) + partition
    yield SERVER, answer(2, struct.pack(">i", 1) + broker + struct.pack(">i", 1) + topic)
    for n in range(3, 9):
        # Some are sent ahead.
        count = n % 3 + 1
        numbers = [n * 4 + k for k in range(count)]
        yield CLIENT, b"".join(ask(12, 0, k, string(b"a group") + struct.pack(">i", 7) + string(b"member %d" % k)) for k in numbers)
        yield SERVER, b"".join(answer(k, struct.pack(">h", 0)) for k in numbers)
    yield CLIENT, ask(16, 0, 99, b"")
    yield SERVER, answer(99, struct.pack(">hi", 0, 1) + string(b"a group") + string(b"consumer"))


def mongo(_):
    def document(n):
        body = b"\x10ping\0" + struct.pack("<i", n) + b"\2$db\0\6\0\0\0admin\0\0"
        return struct.pack("<i", len(body) + 4) + body

    for n in range(1, 5):
        ask = struct.pack("<IB", 0, 0) + document(n)
        yield CLIENT, struct.pack("<iiii", 16 + len(ask), n, 0, 2013) + ask
        yield SERVER, struct.pack("<iiii", 16 + len(ask), n + 100, n, 2013) + ask


def smtp(_):
    line = lambda text: text.encode() + b"\r\n"
    mail = b"From: a@example\r\nTo: b@example\r\nSubject: dots\r\n\r\n" + b"QUIT\r\n..\r\nDATA is not a command here\r\n" * 60 + b".\r\n"
    yield SERVER, line("220 mail.example ESMTP ready")
    yield CLIENT, line("EHLO client.example")
    yield SERVER, line("250-mail.example") + line("250-PIPELINING") + line("250-CHUNKING") + line("250 HELP")
    yield CLIENT, line("MAIL FROM:<a@example>") + line("RCPT TO:<b@example>") + line("DATA")
    yield SERVER, line("250 ok") + line("250 ok") + line("354 go on")
    yield CLIENT, mail
    yield SERVER, line("250 taken")
    yield CLIENT, line("MAIL FROM:<a@example>")
    yield SERVER, line("250 ok")
    yield CLIENT, line("RCPT TO:<b@example>")
    yield SERVER, line("250 ok")
    yield CLIENT, b"BDAT 2000\r\n" + b"x" * 78 * 25 + b"y" * 50
    yield SERVER, line("250 2000 octets")
    yield CLIENT, b"BDAT 7 LAST\r\nlast.\r\n"
    yield SERVER, line("250 taken")
    yield CLIENT, line("NOOP")
    yield SERVER, line("250 ok")
    yield CLIENT, line("QUIT")
    yield SERVER, line("221 bye")


def tls(_):
    """A handshake as it looks from outside, and records of data that nobody can read."""
    record = lambda kind, body: bytes([kind, 3, 3]) + struct.pack(">H", len(body)) + body
    handshake = lambda kind, body: record(22, bytes([kind]) + len(body).to_bytes(3, "big") + body)
    finished = record(20, b"\1") + record(22, bytes(range(100, 140)))
    yield CLIENT, handshake(1, b"\3\3" + b"c" * 32 + b"\0" + b"\0\4\xc0\x2f\0\x9c" + b"\1\0" + b"\0\0")
    yield SERVER, handshake(2, b"\3\3" + b"s" * 32 + b"\0" + b"\xc0\x2f" + b"\0" + b"\0\0") + handshake(14, b"")
    yield CLIENT, handshake(16, b"k" * 66) + finished
    yield SERVER, finished
    for n in range(4):
        yield CLIENT, record(23, bytes((n * 3 + k * 7) % 256 for k in range(60 + 40 * n)))
        yield SERVER, record(23, bytes((n * 5 + k * 11) % 256 for k in range(2000))) + record(23, b"d" * 40)


def starttls(protocol):
    """What leads to TLS, and TLS."""
    line = lambda *texts: b"".join(text.encode() + b"\r\n" for text in texts)
    if protocol == "smtp":
        yield SERVER, line("220 mail.example ESMTP")
        yield CLIENT, line("EHLO client.example")
        yield SERVER, line("250-mail.example", "250 STARTTLS")
        yield CLIENT, line("STARTTLS")
        yield SERVER, line("220 go ahead")
    elif protocol == "imap":
        yield SERVER, line("* OK IMAP4rev1 ready")
        yield CLIENT, line("a1 STARTTLS")
        yield SERVER, line("a1 OK begin")
    elif protocol == "pop":
        yield SERVER, line("+OK POP3 ready")
        yield CLIENT, line("STLS")
        yield SERVER, line("+OK begin")
    elif protocol == "ftp":
        yield SERVER, line("220 FTP server ready")
        yield CLIENT, line("AUTH TLS")
        yield SERVER, line("234 begin")
    elif protocol == "pgsql":
        yield CLIENT, struct.pack(">II", 8, 80877103)
        yield SERVER, b"S"
    elif protocol == "mysql":
        greeting = b"\x0a8.0.36\0" + struct.pack("<I", 9) + b"saltsalt\0" + b"\xff\xff" + b"\x21" + b"\2\0" + b"\xff\xdf" + b"\x15" + bytes(10) + b"saltsaltsalt\0" + b"mysql_native_password\0"
        yield SERVER, len(greeting).to_bytes(3, "little") + b"\0" + greeting
        yield CLIENT, b"\x20\0\0\1" + struct.pack("<II", 0x000FAE85, 1 << 24) + b"\x21" + bytes(23)
    elif protocol == "ldap":
        name = b"1.3.6.1.4.1.1466.20037"
        element = lambda tag, *parts: bytes([tag, sum(map(len, parts))]) + b"".join(parts)
        number = b"\2\1\1"
        yield CLIENT, element(0x30, number, element(0x77, element(0x80, name)))
        yield SERVER, element(0x30, number, element(0x78, b"\x0a\1\0", b"\4\0", b"\4\0", element(0x8A, name)))
    elif protocol == "connect":
        yield CLIENT, line("CONNECT www.example:443 HTTP/1.1", "Host: www.example", "")
        yield SERVER, line("HTTP/1.1 200 Connection established", "")
    elif protocol == "upgrade":
        yield CLIENT, line("OPTIONS * HTTP/1.1", "Host: www.example", "Upgrade: TLS/1.0", "Connection: Upgrade", "")
        yield SERVER, line("HTTP/1.1 101 Switching Protocols", "Upgrade: TLS/1.0, HTTP/1.1", "Connection: Upgrade", "")
    yield from tls(0)


def tunnel(_):
    """HTTP in a tunnel that HTTP has opened."""
    yield CLIENT, b"CONNECT www.example:80 HTTP/1.1\r\nHost: www.example\r\n\r\n"
    yield SERVER, b"HTTP/1.1 200 Connection established\r\n\r\n"
    for n in range(3):
        yield CLIENT, b"GET /%d HTTP/1.1\r\nHost: www.example\r\n\r\n" % n
        yield SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def websocket(_):
    """RFC 6455, with the key and the answer of its 1.3."""

    def frame(first, payload, key=b""):
        size = len(payload)
        length = bytes([size]) if size < 126 else struct.pack(">BH", 126, size)
        if key:
            length = bytes([length[0] | 0x80]) + length[1:] + key
            payload = bytes(octet ^ key[at % 4] for at, octet in enumerate(payload))
        return bytes([first]) + length + payload

    octets = random.Random(6455)
    yield CLIENT, b"GET /chat HTTP/1.1\r\nHost: server.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    # The server speaks first, in the same segment.
    yield SERVER, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n" + frame(0x81, b"hello")
    for n, size in enumerate((0, 1, 125, 126, 127, 3000, 20_000)):
        key = bytes([n + 1, 0x9C, 3 * n, 0xE1])
        yield CLIENT, frame(0x82, octets.randbytes(size), key)
        yield SERVER, frame(0x89, b"ping %d" % n) + frame(0x01, b"in three") + frame(0x00, b" " * min(size, 500)) + frame(0x80, b"parts")
        yield CLIENT, frame(0x8A, b"ping %d" % n, key)
    yield CLIENT, frame(0x88, b"\x03\xe8", bytes(range(1, 5)))
    yield SERVER, frame(0x88, b"\x03\xe8")


def memcache(_):
    """protocol.txt, and behind it the binary form in a connection of its own."""
    for n in range(8):
        value = b"v" * (n * n * 90)
        yield CLIENT, b"set key:%d 0 0 %d\r\n%s\r\nget key:%d key:none\r\n" % (n, len(value), value, n)
        yield SERVER, b"STORED\r\nVALUE key:%d 0 %d\r\n%s\r\nEND\r\n" % (n, len(value), value)
    yield CLIENT, b"incr n 2\r\ndelete key:1 noreply\r\nstats\r\n"
    yield SERVER, b"17\r\nSTAT pid 1\r\nSTAT uptime 7\r\nEND\r\n"
    yield CLIENT, b"quit\r\n"


def memcache_binary(_):
    message = lambda magic, operation, n, extras=b"", key=b"", value=b"": struct.pack(">BBHBBHIIQ", magic, operation, len(key), len(extras), 0, 0, len(extras) + len(key) + len(value), n, 0) + extras + key + value
    for n in range(6):
        yield CLIENT, message(0x80, 1, n, bytes(8), b"key:%d" % n, b"v" * (n * 400))
        yield SERVER, message(0x81, 1, n)
        yield CLIENT, message(0x80, 0, n, b"", b"key:%d" % n)
        yield SERVER, message(0x81, 0, n, bytes(4), b"", b"v" * (n * 400))
    yield CLIENT, message(0x80, 0x10, 9)
    yield SERVER, message(0x81, 0x10, 9, b"", b"pid", b"1") + message(0x81, 0x10, 9)


def nats(_):
    yield SERVER, b'INFO {"server_id":"made","version":"2.10.0","max_payload":1048576}\r\n'
    yield CLIENT, b'CONNECT {"verbose":false,"lang":"made"}\r\nPING\r\n'
    yield SERVER, b"PONG\r\n"
    yield CLIENT, b"SUB room.* 1\r\nSUB jobs workers 2\r\n"
    for n in range(8):
        text = b"message %d " % n * (n * 30 + 1)
        yield CLIENT, b"PUB room.%d %d\r\n%s\r\n" % (n, len(text), text)
        yield SERVER, b"MSG room.%d 1 %d\r\n%s\r\n" % (n, len(text), text)
    yield CLIENT, b"PUB reserved 0\r\n\r\n"
    yield SERVER, b"-ERR 'Permissions Violation'\r\nPING\r\n"
    yield CLIENT, b"PONG\r\n"


def stomp(_):
    yield CLIENT, b"CONNECT\naccept-version:1.2\nhost:made\n\n\0"
    yield SERVER, b"CONNECTED\nversion:1.2\n\n\0\n"
    yield CLIENT, b"SUBSCRIBE\nid:0\ndestination:/queue/a\n\n\0"
    for n in range(8):
        body = b"\0octets %d" % n * (n * 20 + 1)
        yield CLIENT, b"SEND\ndestination:/queue/a\ncontent-length:%d\n\n%s\0" % (len(body), body)
        yield SERVER, b"MESSAGE\nsubscription:0\nmessage-id:%d\ndestination:/queue/a\ncontent-length:%d\n\n%s\0\n" % (n, len(body), body)
    yield SERVER, b"ERROR\nmessage:not allowed\n\nwhy\0"
    yield CLIENT, b"DISCONNECT\nreceipt:77\n\n\0"
    yield SERVER, b"RECEIPT\nreceipt-id:77\n\n\0"


def irc(_):
    yield CLIENT, b"CAP LS 302\r\nNICK made\r\nUSER made 0 * :Made by a script\r\n"
    yield SERVER, b":irc.example CAP * LS :server-time\r\n:irc.example 001 made :Welcome\r\n:irc.example 376 made :End of MOTD\r\n"
    yield CLIENT, b"JOIN #room\r\n"
    yield SERVER, b":made!m@host JOIN #room\r\n"
    for n in range(8):
        yield CLIENT, b"PRIVMSG #room :message %d %s\r\n" % (n, b"x" * (n * 40))
        yield SERVER, b":other!o@host PRIVMSG #room :answer %d\r\nPING :%d\r\n" % (n, n)
        yield CLIENT, b"PONG :%d\r\n" % n
    yield CLIENT, b"QUIT :bye\r\n"
    yield SERVER, b"ERROR :Closing link\r\n"


def xmpp(_):
    """RFC 6120: a stream of XML in each direction."""
    yield CLIENT, b"<?xml version='1.0'?><stream:stream from='me@made.example' to='made.example' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
    yield SERVER, b"<?xml version='1.0'?><stream:stream from='made.example' id='1' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
    yield SERVER, b"<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>"
    yield CLIENT, b"<iq type='set' id='a1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>"
    yield SERVER, b"<iq type='result' id='a1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>me@made.example/r</jid></bind></iq>"
    yield CLIENT, b"<presence/>"
    for n in range(6):
        yield CLIENT, b"<message type='chat' to='you@made.example' id='m%d'><body>%s &lt;%d&gt;</body></message>" % (n, b"word " * (n * 80), n)
        yield SERVER, b"<message type='chat' from='you@made.example/x' to='me@made.example/r'><body>answer %d</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>" % n
        yield CLIENT, b" "
    yield CLIENT, b"</stream:stream>"
    yield SERVER, b"</stream:stream>"


def ssh(_):
    """Versions, a key exchange with empty lists, and octets that stand for what is encrypted."""
    octets = random.Random(4253)

    def packet(kind, body=b""):
        padding = 8 - (6 + len(body)) % 8 + 4
        return struct.pack(">IBB", 2 + len(body) + padding, padding, kind) + body + bytes(padding)

    names = b"".join(struct.pack(">I", len(n)) + n for n in [b"curve25519-sha256", b"ssh-ed25519"] + [b"aes256-ctr"] * 2 + [b"hmac-sha2-256"] * 2 + [b"none"] * 2 + [b""] * 2)
    init = packet(20, bytes(16) + names + bytes(5))
    yield CLIENT, b"SSH-2.0-made_1.0\r\n"
    yield SERVER, b"SSH-2.0-made_1.0\r\n" + init
    yield CLIENT, init
    yield CLIENT, packet(30, struct.pack(">I", 32) + octets.randbytes(32))
    yield SERVER, packet(31, struct.pack(">I", 51) + octets.randbytes(51) + struct.pack(">I", 32) + octets.randbytes(32) + struct.pack(">I", 83) + octets.randbytes(83)) + packet(21)
    yield CLIENT, packet(21)
    for n in range(6):
        yield CLIENT, octets.randbytes(44 + n * 16)
        yield SERVER, octets.randbytes(60 + n * 500)


def http_once():
    yield CLIENT, b"GET /behind HTTP/1.1\r\nHost: www.example\r\n\r\n"
    yield SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def socks(_):
    """RFC 1928 with a name and a word (RFC 1929), and HTTP behind it."""
    yield CLIENT, b"\5\2\0\2"
    yield SERVER, b"\5\2"
    yield CLIENT, b"\1\4user\4word"
    yield SERVER, b"\1\0"
    yield CLIENT, b"\5\1\0\3\x0bwww.example\0\x50"
    yield SERVER, b"\5\0\0\1\xc0\0\2\x01\x9c\x40"
    yield from http_once()


def socks4a(_):
    yield CLIENT, b"\4\1\0\x50\0\0\0\1user\0www.example\0"
    yield SERVER, b"\0\x5a\0\0\0\0\0\0"
    yield from http_once()


def proxy(_):
    """Version 2 of the PROXY protocol, CONNECT in it, CONNECT in that, and HTTP at last."""
    yield CLIENT, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([198, 51, 100, 9, 203, 0, 113, 9]) + struct.pack(">HH", 5555, 3128)
    for name in (b"one", b"two"):
        yield CLIENT, b"CONNECT %s.example:80 HTTP/1.1\r\nHost: %s.example\r\n\r\n" % (name, name)
        yield SERVER, b"HTTP/1.1 200 Connection established\r\n\r\n"
    yield from http_once()


def rtmpt(_):
    """Adobe's RTMP 1.0: a player and a publisher on one connection, so that chunks of several messages interleave."""
    octets = random.Random(1935)
    text = lambda value: struct.pack(">BH", 2, len(value)) + value
    real = lambda value: struct.pack(">Bd", 0, value)
    pairs = lambda *list: b"".join(struct.pack(">H", len(name)) + name + value for name, value in list) + b"\0\0\x09"
    thing = lambda *list: b"\x03" + pairs(*list)
    message = lambda stream, kind, body, time=0, sid=0: (stream, kind, body, time, sid)

    def basic(form, stream):
        if stream < 64:
            return bytes([form << 6 | stream])
        return bytes([form << 6, stream - 64]) if stream < 320 else bytes([form << 6 | 1, (stream - 64) % 256, (stream - 64) // 256])

    def chunks(message, size, form=0, step=0):
        """The chunks of a message, the first with a header of this form."""
        stream, kind, body, time, sid = message
        time = step if form else time
        field = struct.pack(">I", min(time, 0xFFFFFF))[1:]
        head = field + struct.pack(">I", len(body))[1:] + bytes([kind]) + struct.pack("<I", sid)
        longer = struct.pack(">I", time) if time >= 0xFFFFFF else b""
        yield basic(form, stream) + head[:(11, 7, 3, 0)[form]] + longer + body[:size]
        for at in range(size, len(body), size):
            yield basic(3, stream) + longer + body[at:at + size]

    def woven(*messages):
        """One chunk of each in turn."""
        rows = [list(m) for m in messages]
        return b"".join(row[n] for n in range(max(map(len, rows))) for row in rows if n < len(row))

    send = lambda message, size=128, **more: b"".join(chunks(message, size, **more))
    first = [struct.pack(">II", time, 0) + octets.randbytes(1528) for time in (7, 1_000_000)]
    yield CLIENT, b"\3" + first[0]
    yield SERVER, b"\3" + first[1] + first[0][:4] + struct.pack(">I", 9) + first[0][8:]
    app = thing((b"app", text(b"live")), (b"flashVer", text(b"FMLE/3.0 (compatible; made)")), (b"tcUrl", text(b"rtmp://media.example/live")), (b"audioCodecs", real(3191)), (b"objectEncoding", real(0)))
    yield CLIENT, first[1][:4] + struct.pack(">I", 9) + first[1][8:] + send(message(3, 20, text(b"connect") + real(1) + app))
    result = text(b"_result") + real(1) + thing((b"fmsVer", text(b"FMS/3,0,1,123"))) + thing((b"level", text(b"status")), (b"code", text(b"NetConnection.Connect.Success")), (b"description", text(b"Connection succeeded.")))
    yield SERVER, send(message(2, 5, struct.pack(">I", 5_000_000))) + send(message(2, 6, struct.pack(">IB", 5_000_000, 2))) + send(message(2, 1, struct.pack(">I", 4096))) + send(message(3, 20, result), 4096)
    yield CLIENT, send(message(2, 1, struct.pack(">I", 512))) + send(message(3, 20, text(b"createStream") + real(2) + b"\5"), 512)
    yield SERVER, send(message(3, 20, text(b"_result") + real(2) + b"\5" + real(1)), 4096, form=1)
    yield CLIENT, send(message(8, 20, text(b"publish") + real(3) + b"\5" + text(b"camera") + text(b"live"), sid=1), 512)
    status = lambda code: text(b"onStatus") + real(0) + b"\5" + thing((b"level", text(b"status")), (b"code", text(code)))
    yield SERVER, send(message(2, 4, struct.pack(">HI", 0, 1))) + send(message(5, 20, status(b"NetStream.Publish.Start"), sid=1), 4096)
    meta = text(b"@setDataFrame") + text(b"onMetaData") + b"\x08" + struct.pack(">I", 2) + pairs((b"width", real(1280)), (b"height", real(720)))
    yield CLIENT, send(message(4, 18, meta, sid=1), 512)
    # Pictures of some thousand octets, between whose chunks those of sound stand.
    picture = lambda n, key=False: bytes([0x17 if key else 0x27, 1, 0, 0, 0]) + octets.randbytes(n)
    sound = lambda n: b"\xaf\1" + octets.randbytes(n)
    yield CLIENT, woven(chunks(message(6, 9, picture(6000, True), 40, 1), 512), chunks(message(4, 8, sound(700), 41, 1), 512, form=1, step=41))
    for n in range(4):
        yield CLIENT, woven(chunks(message(6, 9, picture(2000 + 613 * n), 0, 1), 512, form=1, step=40), chunks(message(4, 8, sound(1100 + n), 0, 1), 512, form=1, step=23))
    # The same length and step as the one before; then a time that needs four octets; a chunk stream with a number of two octets; one that is
    # given up in its middle.
    yield CLIENT, send(message(4, 8, sound(1103), 0, 1), 512, form=2, step=23) + send(message(4, 8, sound(1103), 0, 1), 512, form=3)
    yield CLIENT, send(message(6, 9, picture(900), 0x1000000, 1), 512) + send(message(100, 8, sound(80), 0x1000000, 1), 512)
    tag = lambda body: b"\x08" + struct.pack(">I", len(body))[1:] + bytes(7) + body + struct.pack(">I", 11 + len(body))
    part = next(chunks(message(7, 9, picture(4000), 0x1000000, 1), 512))
    yield CLIENT, part + send(message(2, 2, struct.pack(">I", 7))) + send(message(400, 22, tag(sound(90)) + tag(sound(120)), 0x1000000, 1), 512)
    yield SERVER, send(message(2, 3, struct.pack(">I", 20_000)))
    yield CLIENT, send(message(3, 20, text(b"FCUnpublish") + real(4) + b"\5" + text(b"camera")), 512) + send(message(3, 20, text(b"deleteStream") + real(5) + b"\5" + real(1)), 512)
    yield SERVER, send(message(5, 20, status(b"NetStream.Unpublish.Success"), sid=1), 4096)


def framed(count):
    """No protocol of the world: a magic, a number, and a length that counts what follows it."""
    for n in range(count or 20):
        body = bytes((n * 7 + k) % 256 for k in range(n * 131 % 1900))
        yield n % 2, struct.pack(">HHI", 0xCAFE, n % 65536, len(body)) + body


def datagrams():
    """NAME: (ports, [(side, payload)])"""
    dhcp = lambda op, kind: struct.pack(">BBBBIHH", op, 1, 6, 0, 7, 0, 0) + bytes(16) + b"\2\0\0\0\0\2" + bytes(10 + 192) + b"\x63\x82\x53\x63\x35\1" + bytes([kind]) + b"\xff"
    ntp = lambda mode: bytes([0x20 | mode, 2, 6, 0xEC]) + bytes(44)
    attribute = lambda kind, data: bytes([kind, len(data) + 2]) + data
    radius = lambda code, n, body: struct.pack(">BBH", code, n, 20 + len(body)) + bytes([n]) * 16 + body
    query = lambda n, flags, count: struct.pack(">HHHHHH", n, flags, 1, count, 0, 0) + b"\x05print\5local\0\0\1\0\1"
    yield "dhcp", (68, 67), [(CLIENT, dhcp(1, 1)), (SERVER, dhcp(2, 2)), (CLIENT, dhcp(1, 3)), (SERVER, dhcp(2, 5))]
    yield "ntp", (40123, 123), [(CLIENT, ntp(3)), (SERVER, ntp(4))] * 2
    yield "radius", (40812, 1812), [(CLIENT, radius(1, n, attribute(1, b"user%d" % n))) for n in range(3)] + [(SERVER, radius(2, n, b"")) for n in range(3)]
    yield "mdns", (5353, 5353), [(CLIENT, query(0, 0, 0)), (SERVER, query(0, 0x8400, 1) + b"\xc0\x0c\0\1\0\1\0\0\0\x78\0\4\xc0\0\2\7")]
    gtp = lambda kind, endpoint, n, body=b"": struct.pack(">BBHIHBB", 0x32, kind, 4 + len(body), endpoint, n, 0, 0) + body
    gtpv2 = lambda kind, endpoint, n, body=b"": struct.pack(">BBHI", 0x48, kind, 8 + len(body), endpoint) + struct.pack(">I", n << 8) + body
    pfcp = lambda kind, n, body=b"": struct.pack(">BBHI", 0x20, kind, 4 + len(body), n << 8) + body
    user = struct.pack(">BBHHHBBHII", 0x45, 0, 20, 1, 0, 64, 59, 0, 0x0A000001, 0x0A000002)
    user = user[:10] + struct.pack(">H", checksum(user)) + user[12:]
    number = lambda n: struct.pack(">H", 0x4000 | n)
    quic = lambda kind, body, token=b"": bytes([0xC0 | kind << 4]) + struct.pack(">I", 1) + b"\x08" + b"client's" + b"\x08" + b"a server" + token + number(len(body)) + body
    yield "gtp", (2152, 2152), [(CLIENT, gtp(1, 0, 1)), (SERVER, gtp(2, 0, 1, b"\x0e\0")), (CLIENT, struct.pack(">BBHI", 0x30, 255, len(user), 0xABC) + user), (SERVER, gtp(254, 0xABC, 2))]
    yield "gtpv2", (2123, 2123), [(CLIENT, struct.pack(">BBHI", 0x40, 1, 9, 1 << 8) + b"\x03\0\1\0\1"), (SERVER, struct.pack(">BBHI", 0x40, 2, 9, 1 << 8) + b"\x03\0\1\0\2"), (CLIENT, gtpv2(36, 0x55, 2, b"\x49\0\1\0\5")), (SERVER, gtpv2(37, 0x66, 2, b"\x02\0\2\0\x10\0"))]
    yield "pfcp", (8805, 8805), [(CLIENT, pfcp(1, 1, b"\0\x60\0\4\xe0\0\0\0")), (SERVER, pfcp(2, 1, b"\0\x60\0\4\xe0\0\0\1"))]
    yield "quic", (40443, 443), [(CLIENT, quic(0, bytes(1160), b"\0")), (SERVER, quic(0, bytes(100), b"\0") + quic(2, bytes(900))), (CLIENT, quic(2, bytes(60)))]
    yield "someip-udp", (40490, 30490), [(CLIENT, someip_message(0x1234, 1, 0, 1, b"ask")), (SERVER, someip_message(0x1234, 1, 0x80, 1, b"answer"))]


STREAMS = {
    "diameter": (3868, diameter), "amqp": (5672, amqp), "nbss": (445, nbss), "mbtcp": (502, modbus), "tpkt": (102, tpkt),
    "someip": (30490, someip), "doip": (13400, doip), "bgp": (179, bgp), "rtsp": (554, rtsp), "104apci": (2404, iec104),
    "opcua": (4840, opcua), "enip": (44818, enip), "dnp3": (20000, dnp3), "dicom": (11112, dicom), "cql": (9042, cql), "kafka": (9092, kafka),
    "memcache": (11211, memcache), "memcache-binary": (11211, memcache_binary), "nats": (4222, nats), "stomp": (61613, stomp), "irc": (6667, irc),
    "xmpp": (5222, xmpp), "ssh": (22, ssh), "socks": (1080, socks), "socks4a": (1080, socks4a), "proxy": (8080, proxy), "rtmpt": (1935, rtmpt),
    "mongo": (27017, mongo), "websocket": (8080, websocket), "connect-http": (8080, tunnel), "smtp-made": (25, smtp), "framed": (9000, framed),
}


STREAMS |= {
    f"starttls-{name}": (port, lambda _, name=name: starttls(name))
    for name, port in {"smtp": 25, "imap": 143, "pop": 110, "ftp": 21, "pgsql": 5432, "mysql": 3306, "ldap": 389}.items()
}
STREAMS |= {f"{name}-tls": (8080, lambda _, name=name: starttls(name)) for name in ("connect", "upgrade")}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("dir")
    parser.add_argument("--load", action="store_true")
    args = parser.parse_args()
    for name, (port, talk) in STREAMS.items():
        if args.load and name not in ("diameter", "framed"):
            continue
        capture = Capture()
        for n in range(20 if args.load else 1):
            capture.tcp((40000 + n, port), talk(200 if args.load else 0))
        capture.write(os.path.join(args.dir, f"{name}.pcap"))
    if not args.load:
        for name, ports, talk in datagrams():
            capture = Capture()
            for side, payload in talk:
                capture.datagram(side, ports, payload)
            capture.write(os.path.join(args.dir, f"{name}.pcap"))


main()
