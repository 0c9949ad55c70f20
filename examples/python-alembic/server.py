"""Serves the guests from the migrated table."""

import json
import sqlite3

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


def app(environ, start_response):
    start_response("200 OK", [("content-type", "application/json")])
    return [(json.dumps(guests()) + "\n").encode()]


guests()  # exits here if the schema is not the expected one
