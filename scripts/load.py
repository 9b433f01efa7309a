#!/usr/bin/env python3
"""Asks an HTTP server many things over many connections that are open at once; the same arguments ask the same.

  load.py ADDRESS PORT CONNECTIONS REQUESTS [SEED]

Each connection sends REQUESTS requests one after the other, for the paths that make-http-load serves: GET of small and
large files with a length, GET of files that come chunked, POST with a length and chunked, HEAD. Prints what was counted.
"""
import asyncio
import collections
import random
import sys

FILES = ["/tiny.txt"] * 30 + ["/small.txt"] * 25 + ["/medium.txt"] * 12 + ["/large.bin"] * 2
CHUNKED = ["/small.html"] * 3 + ["/large.html"]
counts = collections.Counter()


def request(choose, host):
    """The octets of a request, and whether its answer has no body."""
    fields = f"Host: {host}\r\nUser-Agent: load\r\nCookie: session={choose.getrandbits(48):012x}\r\n"
    kind = choose.choices(["get", "chunked", "post", "upload", "head"], [62, 15, 10, 5, 8])[0]
    counts[kind] += 1
    query = f"?n={choose.randrange(10**6)}"
    if kind == "get":
        return f"GET {choose.choice(FILES)}{query} HTTP/1.1\r\n{fields}\r\n".encode(), False
    if kind == "chunked":
        return (f"GET {choose.choice(CHUNKED)}{query} HTTP/1.1\r\n{fields}Accept-Encoding: gzip\r\n\r\n").encode(), False
    if kind == "head":
        return f"HEAD {choose.choice(FILES)}{query} HTTP/1.1\r\n{fields}\r\n".encode(), True
    body = b"".join(b"%d=%x&" % (n, choose.getrandbits(32)) for n in range(choose.randrange(1, 300)))
    start = f"POST /post{query} HTTP/1.1\r\n{fields}Content-Type: application/x-www-form-urlencoded\r\n".encode()
    if kind == "post":
        return start + b"Content-Length: %d\r\n\r\n" % len(body) + body, False
    parts = [start + b"Transfer-Encoding: chunked\r\n\r\n"]
    while body:
        size = choose.randrange(1, 1200)
        part, body = body[:size], body[size:]
        parts.append(b"%x\r\n%s\r\n" % (len(part), part))
    return b"".join(parts) + b"0\r\n\r\n", False


async def answer(reader, bodiless):
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if bodiless:
        return
    if b"transfer-encoding: chunked" in head:
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    else:
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))


async def connection(host, port, requests, seed):
    choose = random.Random(seed)
    reader, writer = await asyncio.open_connection(host, port)
    for _ in range(requests):
        octets, bodiless = request(choose, host)
        writer.write(octets)
        await writer.drain()
        await answer(reader, bodiless)
        counts["messages"] += 2
    writer.close()
    await writer.wait_closed()
    counts["connections"] += 1


async def main():
    host, port, connections, requests = sys.argv[1], *map(int, sys.argv[2:5])
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    await asyncio.gather(*(connection(host, port, requests, f"{seed}/{n}") for n in range(connections)))
    print(" ".join(f"{name}={n}" for name, n in sorted(counts.items())))


asyncio.run(main())
