#!/usr/bin/env python3
"""An HTTP server for the answers that nginx does not give: trailers, until-close, 1xx, chunk extensions.

  server.py ADDRESS PORT

GET /chunked  chunks of many sizes with an extension and trailers     GET /close  HTTP/1.0, body up to the close
GET /empty    204                                                     GET /hints  103, then 200
POST, PUT     201; "Expect: 100-continue" is answered; bodies with a length and chunked ones are read
"""
import socket
import sys
import threading

LINES = b"".join(b"%04d the quick brown fox jumps over the lazy dog\n" % n for n in range(200))


def chunked():
    out, at = [], 0
    for n, size in enumerate((1, 10, 100, 1000, 16, 2500)):
        extension = b";part=%d" % n if n == 2 else b""
        out.append(b"%x%s\r\n%s\r\n" % (size, extension, LINES[at:at + size]))
        at += size
    out.append(b"0\r\nX-Checksum: 12345\r\nX-Lines: 60\r\n\r\n")
    return out


def read_body(file, headers):
    if b"chunked" in headers.get(b"transfer-encoding", b""):
        body = b""
        while size := int(file.readline().split(b";")[0], 16):
            body += file.read(size)
            file.readline()
        while file.readline().strip():
            pass
        return body
    return file.read(int(headers.get(b"content-length", 0)))


def serve(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    file = connection.makefile("rb")
    while line := file.readline():
        method, path, _ = line.split()
        path = path.split(b"?")[0]
        headers = {}
        while (field := file.readline().strip()):
            name, value = field.split(b":", 1)
            headers[name.lower()] = value.strip()
        if headers.get(b"expect") == b"100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = read_body(file, headers)
        if method in (b"POST", b"PUT"):
            text = b"stored %d octets\n" % len(body)
            connection.sendall(b"HTTP/1.1 201 Created\r\nLocation: %s\r\nContent-Type: text/plain\r\n"
                               b"Content-Length: %d\r\n\r\n%s" % (path, len(text), text))
        elif path == b"/chunked":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
                               b"Trailer: X-Checksum, X-Lines\r\n\r\n")
            for part in chunked():
                connection.sendall(part)
        elif path == b"/close":
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n")
            for at in range(0, 6000, 1500):
                connection.sendall(LINES[at:at + 1500])
            break
        elif path == b"/empty":
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif path == b"/hints":
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 50\r\n\r\n" + LINES[:50])
        else:
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    connection.shutdown(socket.SHUT_WR)
    file.read()  # the client closes last: no RST
    connection.close()


def main():
    listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


main()
