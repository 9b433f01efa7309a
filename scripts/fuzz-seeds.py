#!/usr/bin/env python3
"""fuzz-seeds.py FOLDER: what the fuzz targets begin with, a folder for each, made from the captures of testdata. How each
input is laid out stands at the head of fuzz/fuzz_targets/TARGET.rs."""
import gzip, glob, os, struct, sys

FOLDER = sys.argv[1]
# Ports of fuzz_targets/message.rs, in its order.
PORTS = [50001, 80, 443, 25, 21, 110, 143, 53, 179, 554, 5060, 6379, 5432, 502, 3868, 445]


def seed(target, name, data):
    os.makedirs(os.path.join(FOLDER, target), exist_ok=True)
    with open(os.path.join(FOLDER, target, name), "wb") as file:
        file.write(data)


def records(octets):
    """The packets of a pcap file with this byte order."""
    at = 24
    while at + 16 <= len(octets):
        have, = struct.unpack_from("<I", octets, at + 8)
        yield octets[at + 16:at + 16 + have]
        at += 16 + have


def segments(octets):
    """Source port, destination port and data of each TCP segment over Ethernet and IPv4."""
    for packet in records(octets):
        if packet[12:14] != b"\x08\x00" or packet[23] != 6:
            continue
        end = 14 + int.from_bytes(packet[16:18], "big")
        tcp = packet[14 + (packet[14] & 15) * 4:end]
        source, destination = struct.unpack_from(">HH", tcp)
        yield source, destination, tcp[(tcp[12] >> 4) * 4:]


def captures():
    for name in sorted(glob.glob("testdata/**/*.pcap*", recursive=True)):
        octets = open(name, "rb").read()
        short = os.path.relpath(name, "testdata").replace("/", "-")
        seed("capture", short, b"\7" + octets[:4096])
        seed("program", short, bytes([len(short) % 8]) + octets[:4096])
        if octets[:4] != b"\xd4\xc3\xb2\xa1":
            continue
        link_type, = struct.unpack_from("<H", octets, 20)
        if "links" in name:
            packets = b""
            for packet in records(octets):
                if len(packets) < 4096:
                    packets += struct.pack("<HHBB", link_type, len(packet), 0, 1) + packet
            seed("packets", short, b"\0" + packets)
        if link_type == 1:
            pieces, port = b"", 0
            for source, destination, data in segments(octets):
                low = min(source, destination)
                port = port or (PORTS.index(low) if low in PORTS else 0)
                for at in range(0, len(data), 255):
                    part = data[at:at + 255]
                    if len(pieces) < 8192:
                        pieces += bytes([source < destination, len(part)]) + part
            if pieces:
                seed("message", short, bytes([port, 0]) + pieces)
                seed("message", short + "-middle", bytes([port, 3]) + pieces[:4096])


def tcp():
    def segment(place, length, kind, high=0, wait=0):
        return bytes([high, place, length, kind, wait])
    parts = [segment(60, 30, 0x40), segment(0, 40, 0x40), segment(20, 30, 0x41), segment(50, 20, 0x40), segment(90, 0, 0xF0)]
    for name, choice in [("first", 0), ("last", 4), ("many", 0x80), ("tight", 0x81), ("waits", 0x83)]:
        seed("tcp", name, bytes([9, choice]) + b"".join(parts))
    both = [segment(0, 0, 0x00), segment(0, 0, 0x02, high=4), segment(1, 30, 0x42), segment(1, 60, 0x42, high=4),
            segment(31, 9, 0x42, wait=70), segment(50, 0, 0x12), segment(61, 0, 0x12, high=4), segment(0, 0, 0x20, wait=99)]
    for choice in [0x80, 0x81, 0x82, 0x8D]:
        seed("tcp", f"both-{choice}", bytes([1, choice]) + b"".join(both * 3))


def files():
    def block(port, from_server, data, kind=0):
        return bytes([kind << 4 | port << 1 | from_server]) + struct.pack("<H", len(data)) + data

    def exchange(path, head, body):
        head = f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode()
        return block(0, 0, f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()) + block(0, 1, head + body)
    text = b"the octets of a file\n" * 20
    seed("files", "plain", exchange("/a/b.txt", "Content-Type: text/plain\r\n", text))
    seed("files", "named", exchange("/x", 'Content-Disposition: attachment; filename="../../etc/x"\r\n', text)
         + exchange("/y", "Content-Disposition: inline; filename*=UTF-8''%e2%82%ac%2f..\r\n", text))
    seed("files", "gzip", exchange("/z", "Content-Encoding: gzip\r\n", gzip.compress(text, mtime=0)))
    seed("files", "ranges", b"".join(
        block(0, 0, b"GET /r HTTP/1.1\r\nHost: h\r\nRange: bytes=%d-%d\r\n\r\n" % (at, at + 99))
        + block(0, 1, b"HTTP/1.1 206 Partial Content\r\nETag: \"e\"\r\nContent-Range: bytes %d-%d/300\r\n"
                b"Content-Length: 100\r\n\r\n" % (at, at + 99) + text[at:at + 100]) for at in (100, 0, 200)))
    parts = (b"--B\r\nContent-Disposition: form-data; name=f; filename=\"a.txt\"\r\n\r\none\r\n"
             b"--B\r\nContent-Disposition: form-data; name=g\r\n\r\ntwo\r\n--B--\r\n")
    head = b"POST /up HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: %d\r\n\r\n"
    seed("files", "multipart", block(0, 0, head % len(parts) + parts))
    ranges = (b"--B\r\nContent-Range: bytes 0-2/9\r\n\r\nabc\r\n--B\r\nContent-Range: bytes 6-8/9\r\n\r\nghi\r\n--B--\r\n")
    seed("files", "byteranges", block(0, 0, b"GET /p HTTP/1.1\r\nHost: h\r\n\r\n") + block(
        0, 1, b"HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=B\r\nContent-Length: %d\r\n\r\n"
        % len(ranges) + ranges))
    seed("files", "chunked", block(0, 0, b"GET /c HTTP/1.1\r\nHost: h\r\n\r\n") + block(
        0, 1, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
    seed("files", "ftp", block(1, 1, b"220 ready\r\n") + block(1, 0, b"TYPE I\r\n") + block(1, 1, b"200 ok\r\n")
         + block(1, 0, b"PASV\r\n") + block(1, 1, b"227 Entering Passive Mode (10,0,0,2,4,1)\r\n")
         + block(1, 0, b"RETR ../a.bin\r\n") + block(1, 1, b"150 here it comes (420 bytes)\r\n")
         + block(3, 1, text, kind=14) + block(1, 1, b"226 done\r\n") + block(1, 0, b"QUIT\r\n"))
    seed("files", "ftp-port", block(1, 1, b"220 ready\r\n") + block(1, 0, b"PORT 10,0,0,1,156,64\r\n")
         + block(1, 1, b"200 ok\r\n") + block(1, 0, b"STOR b.bin\r\n") + block(1, 1, b"150 go\r\n")
         + block(2, 0, text, kind=14) + block(1, 1, b"226 done\r\n"))


def tls():
    """Each connection; and with every fifth segment lost, and without its beginning."""
    for name in sorted(glob.glob("testdata/tls/*.pcap")):
        short, blocks = os.path.basename(name), {}
        for source, destination, data in segments(open(name, "rb").read()):
            side = source < destination
            for at in range(0, len(data), 1 << 15):
                part = data[at:at + (1 << 15)]
                if part:
                    blocks.setdefault(frozenset((source, destination)), []).append((side, part))
        for n, connection in enumerate(blocks.values()):
            for kind, choices in (("whole", 1), ("lossy", 1), ("middle", 5), ("late", 3)):
                made = [bytes([0xE0 if kind == "lossy" and i % 5 == 4 else 0]) for i in range(len(connection))]
                parts = [bytes([flags[0] | side]) + struct.pack("<H", len(part)) + part for flags, (side, part) in zip(made, connection)]
                if kind == "middle":
                    parts = parts[3:]
                if kind == "late":
                    parts.insert(3, b"\xd0\0\0")
                seed("tls", f"{short}-{n}-{kind}", bytes([choices]) + b"".join(parts))


def rules():
    octets = b"\n" + b"\x00\x00\x00\x04abcd\x00\x00\x00\x02ef\nline\n\xca\xfe\x00\x07" * 4
    for n, (which, text) in enumerate([
            (0, "mine,tcp.port==9000,len@0:u32be+4"), (0, "mine,tcp.port==9000,until:0x0a"),
            (8, "mine,tcp.port==9000-9010,len@2:u16le+4,magic@0:0xCAFE"), (0, "mine,udp.port==7001"),
            (1, "tcp.port==9000,http"), (1, "sctp.port==5,m3ua"), (2, "1,all,10.0.0.1:80,[::1]:80-[::2]:90"),
            (3, "gre,vxlan,all"), (4, "http,dns,data"), (0x05, "out.pcapng,protocols=http"), (0x15, "tcp=verify"),
            (0x25, "32p,20ms"), (0x35, "16p,200ms"), (0x45, "16M"), (0x55, "1G"), (0x65, "3600s"), (0x75, "-"),
            (0x85, "%a-%b"), (0x95, "tcp,udp"), (0xA5, "10.0.0.1")]):
        seed("rules", f"rule-{n}", bytes([which]) + text.encode() + octets)


captures()
tcp()
files()
tls()
rules()
