#!/usr/bin/env python3
"""Writes a pcap to stdout: N first fragments of IPv4 datagrams that never become whole, each of SIZE octets of UDP.

  flood.py [N] [SIZE] | inet-asm ...
"""
import struct
import sys


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 64
    out = sys.stdout.buffer
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
    chunk = []
    for n in range(count):
        # A source of its own every 65,536, a datagram of its own each.
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, n & 0xFFFF, 0x2000, 64, 17, 0)
        ip += bytes([10, 0, n >> 24, n >> 16 & 0xFF]) + bytes([192, 0, 2, 1])
        total = sum(struct.unpack("!10H", ip))
        while total > 0xFFFF:
            total = (total & 0xFFFF) + (total >> 16)
        ip = ip[:10] + struct.pack("!H", 0xFFFF - total) + ip[12:]
        packet = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip + bytes(size)
        # 1,000,000 in a second: none of them expires before the others have come.
        chunk.append(struct.pack("<IIII", 1_700_000_000 + n // 1_000_000, n % 1_000_000, len(packet), len(packet)) + packet)
        if len(chunk) == 4096:
            out.write(b"".join(chunk))
            chunk.clear()
    out.write(b"".join(chunk))


if __name__ == "__main__":
    main()
