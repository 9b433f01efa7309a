#!/usr/bin/env python3
"""What curl does not do over FTP, by ftplib: passive, one control connection, the transfer command right behind PASV.

  ftp-client.py ADDRESS FOLDER    gets one.bin and two.bin, puts FOLDER/up.bin, lists (LIST, MLSD) into FOLDER/LIST and MLSD;
                                  breaks off the transfer of long.bin, and takes it up where it was left (REST)
"""
import ftplib
import pathlib
import socket
import sys


def main():
    address, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    ftp = ftplib.FTP(address, "u", "p")
    for name in ("one.bin", "two.bin"):
        ftp.retrbinary(f"RETR {name}", lambda _: None)
    with open(folder / "up.bin", "rb") as file:
        ftp.storbinary("STOR dir/up.bin", file)
    for command in ("LIST", "MLSD"):
        lines = bytearray()
        ftp.voidcmd("TYPE I")  # the octets as they are
        with ftp.transfercmd(command) as data:
            while part := data.recv(4096):
                lines += part
        ftp.voidresp()
        (folder / command).write_bytes(lines)

    ftp.voidcmd("TYPE I")
    end = ftp.makepasv()
    data = socket.socket()
    data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    data.connect(end)
    ftp.sendcmd("RETR long.bin")
    had = b""
    while len(had) < 5000:
        had += data.recv(5000 - len(had))
    data.close()
    ftp.getmultiline()  # 426 or 226
    rest = bytearray()
    ftp.retrbinary("RETR long.bin", rest.extend, rest=len(had))
    (folder / "long.bin").write_bytes(had + rest)
    ftp.quit()


main()
