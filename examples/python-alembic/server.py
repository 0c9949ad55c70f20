"""Serves the guests from the migrated table."""

import json
import os
import signal
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DATABASE = "data/app.db"


def guests():
    connection = sqlite3.connect(DATABASE)
    try:
        return [
            {"name": name, "seat": seat}
            for name, seat in connection.execute("SELECT name, seat FROM guests ORDER BY id")
        ]
    finally:
        connection.close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = (json.dumps(guests()) + "\n").encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


guests()  # exits here if the schema is not the expected one
# PID 1 gets no default signal action: without this handler, `docker stop` would take its whole
# grace period.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler) as server:
    print(f"listening on port {server.server_port}", flush=True)
    server.serve_forever()
