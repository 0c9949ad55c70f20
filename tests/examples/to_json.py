"""Prints the documents in the files named, YAML, TOML and JSON, as one JSON object by name."""

import json
import sys

import tomli
import yaml


def documents(path):
    with open(path, "rb") as file:
        if path.endswith(".toml"):
            return [tomli.load(file)]
        if path.endswith(".json"):
            return [json.load(file)]
        return list(yaml.safe_load_all(file))


json.dump({path: documents(path) for path in sys.argv[1:]}, sys.stdout)
