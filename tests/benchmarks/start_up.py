"""How long small commands take as whole processes, against what everyone knows.

    .venv/bin/python -m tests.benchmarks.start_up [--http PATH]

`--http` is httpie's `http` in an environment of its own. Everything talks to a loopback server.
"""

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

from reo_cli.sandbox import Sandbox
from tests.benchmarks.pairs import KEY, REO, compare_commands

CSV = "activity_type,count,domain,event_at,product_id\nprimary,10,acme.com,1790000000,app\n"
TYPER = [sys.executable, "-c", "import typer"]
EVENT = '{"payload":{"mode":"DOMAIN","source":"TELEMETRY","activity_type":"primary","count":1,'
EVENT += '"domain":"acme.com","event_at":1790000000,"product_id":"app","event_id":"1"}}'
TAB = f"COMP_WORDS='reo send-file --con' COMP_CWORD=2 _REO_COMPLETE=complete_bash exec {REO}"
POST = "import requests, sys; requests.post(sys.argv[1], sys.argv[2], headers={'X-API-KEY': 'k'})"


def main() -> None:
    """Print the ratios of design.md, Speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--http", default="http", help="httpie's command")
    http = parser.parse_args().http
    with tempfile.TemporaryDirectory() as folder, Sandbox() as box:
        table, key = Path(folder, "small.csv"), Path(folder, "key")
        table.write_text(CSV)
        key.write_text(KEY)
        for name, words in (
            ("--version", [REO, "--version"]),
            ("--help", [REO, "--help"]),
            ("validate, one row", [REO, "validate", str(table)]),
            ("one TAB", ["sh", "-c", TAB]),
        ):
            compare_commands(f"{name} / import typer", words, TYPER, 1.5)
        given = "send -a primary -n 1 -d acme.com -p app"
        send = [REO, *shlex.split(given), "--endpoint", box.url, "--api-key-file", str(key)]
        post = [sys.executable, "-c", POST, box.url, EVENT]
        compare_commands("send / python requests.post", send, post, 1.65)
        httpie = [http, "--ignore-stdin", "POST", box.url, "X-API-KEY:k", "--raw", EVENT]
        compare_commands("send / http POST (httpie)", send, httpie, 0.75)


if __name__ == "__main__":
    main()
