"""Answers A queries with 127.0.0.1, and AAAA queries as the argument says; prints who connects to port 5432.

  names.py servfail|silence
"""

import socket
import struct
import sys
import threading

A = 1


def answer(query):
    at = 12
    while query[at]:
        at += query[at] + 1
    question = query[12 : at + 5]
    if struct.unpack(">H", query[at + 1 : at + 3])[0] == A:
        record = b"\xc0\x0c\0\1\0\1" + struct.pack(">IH", 60, 4) + socket.inet_aton("127.0.0.1")
        return query[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, 1, 0, 0) + question + record
    if sys.argv[1] == "silence":
        return None
    return query[:2] + b"\x81\x82" + struct.pack(">HHHH", 1, 0, 0, 0) + question


def names(server):
    while True:
        query, client = server.recvfrom(512)
        if reply := answer(query):
            server.sendto(reply, client)


resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
resolver.bind(("127.0.0.1", 53))
database = socket.create_server(("127.0.0.1", 5432))
threading.Thread(target=names, args=[resolver], daemon=True).start()
print("ready", flush=True)
while True:
    client, _ = database.accept()
    client.recv(8)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    client.close()
