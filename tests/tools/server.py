"""Serves the guests with their seats. Like many a server it starts, too, where it can't."""

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

import psycopg

URL = os.environ["DATABASE_URL"].replace("postgresql+psycopg:", "postgresql:")


def guests():
    with psycopg.connect(URL) as connection:
        return connection.execute("SELECT name, seat FROM guests ORDER BY id").fetchall()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, body = 200, json.dumps(guests(), separators=(",", ":"))
        except psycopg.Error as error:
            status, body = 500, str(error)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())


try:
    guests()
    schema = "migrated"
except psycopg.errors.UndefinedTable:
    schema = "unmigrated"
except psycopg.errors.UndefinedColumn:
    schema = "half-migrated"
server = HTTPServer(("127.0.0.1", 0), Handler)
with open(os.environ["EVIDENCE"], "a") as evidence:
    evidence.write(f"server {os.getpid()} {server.server_port} {schema}\n")
server.serve_forever()
