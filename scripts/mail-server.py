#!/usr/bin/env python3
"""A server of SMTP that takes every mail and forgets it: mail-server.py ADDRESS PORT"""
import socketserver
import sys


class Session(socketserver.StreamRequestHandler):
    def say(self, *lines):
        self.wfile.write("".join(line + "\r\n" for line in lines).encode())

    def handle(self):
        self.say("220 mail.example ESMTP ready")
        for line in self.rfile:
            verb = line.strip().upper().split(b" ")[0]
            if verb == b"EHLO":
                self.say("250-mail.example", "250-PIPELINING", "250-8BITMIME", "250 SIZE 1000000")
            elif verb == b"DATA":
                self.say("354 go on")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self.say("250 2.0.0 taken")
            elif verb == b"QUIT":
                self.say("221 2.0.0 bye")
                return
            else:
                self.say("250 2.0.0 ok")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


Server((sys.argv[1], int(sys.argv[2])), Session).serve_forever()
