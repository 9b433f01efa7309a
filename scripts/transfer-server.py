#!/usr/bin/env python3
"""The servers of make-transfers that are no programs of their own.

  transfer-server.py http ADDRESS PORT DIR   GET /coding/CODING[,CODING...]/NAME  the file in these content codings
                                             GET /chunked/NAME                    in chunks of many sizes, gzip within
                                             GET /named/NAME                      with Content-Disposition
                                             GET /named8/NAME                     with filename* (RFC 8187), and a longer name
                                             POST /upload                         anything
  transfer-server.py ftp ADDRESS PORT DIR [MASQUERADE]   anonymous, may write; MASQUERADE: what PASV says, as behind a NAT
"""
import subprocess
import sys
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import pathlib
import socket


def deflate(data, window):
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return packer.compress(data) + packer.flush()


def piped(*command):
    return lambda data: subprocess.run(command, input=data, capture_output=True, check=True).stdout


CODINGS = {
    "gzip": lambda data: deflate(data, 31),
    "deflate": lambda data: deflate(data, 15),
    "rawdeflate": lambda data: deflate(data, -15),  # what some servers send as "deflate"
    "br": piped("brotli", "-c"),
    "zstd": piped("zstd", "-c", "-q", "--no-check"),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "test", ""

    def do_GET(self):
        _, kind, *path = self.path.split("/")
        data = pathlib.Path(self.server.dir, path[-1]).read_bytes()
        if kind == "coding":
            codings = path[0].split(",")
            for coding in codings:
                data = CODINGS[coding](data)
            self.send_response(200)
            self.send_header("Content-Encoding", ", ".join(codings).replace("rawdeflate", "deflate"))
        elif kind == "chunked":
            data = CODINGS["gzip"](data)
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Content-Type", "application/octet-stream")
            self.end_headers()
            at = 0
            for size in (1, 10, 100, 1000, 4000, len(data)):
                part, at = data[at:at + size], at + size
                if part:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
            return
        else:
            self.send_response(200)
            name = f"report {path[-1]}"
            self.send_header("Content-Disposition", f'attachment; filename="{name}"' if kind == "named" else
                             f"attachment; filename=plain; filename*=UTF-8''%e2%82%ac%20{path[-1]}")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    do_PUT = do_POST

    def log_message(self, *_):
        pass


class Http(ThreadingHTTPServer):
    address_family = socket.AF_INET
    daemon_threads = True


def ftp(address, port, folder, masquerade=None):
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import FTPServer

    class OneUser(FTPHandler):
        authorizer = DummyAuthorizer()
        passive_ports = range(2100, 2200)
        masquerade_address = masquerade

    OneUser.authorizer.add_user("u", "p", folder, perm="elradfmwMT")
    FTPServer((address, port), OneUser).serve_forever()


def main():
    kind, address, port, folder, *more = sys.argv[1:]
    if kind == "ftp":
        ftp(address, int(port), folder, *more)
    else:
        server = Http((address, int(port)), Handler)
        server.dir = folder
        server.serve_forever()


main()
