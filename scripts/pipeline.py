#!/usr/bin/env python3
"""Sends each PATH as a request of one connection without waiting for answers; "|" begins the next write.

  pipeline.py ADDRESS PORT PATH... [| PATH...]...
"""
import socket
import sys
import time

address, port, *paths = sys.argv[1:]
writes, requests = [b""], 0
for path in paths:
    if path == "|":
        writes.append(b"")
    else:
        requests += 1
        writes[-1] += f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: pipeline\r\n\r\n".encode()
connection = socket.create_connection((address, int(port)))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
file = connection.makefile("rb")
for data in writes:
    connection.sendall(data)
    time.sleep(0.05)
for _ in range(requests):
    length = 0
    while line := file.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    file.read(length)
connection.close()
