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
from tests.benchmarks.pairs import compare

CSV = "activity_type,count,domain,event_at,product_id\nprimary,10,acme.com,1790000000,app\n"
TYPER = [sys.executable, "-c", "import typer"]
EVENT = '{"payload":{"mode":"DOMAIN","source":"TELEMETRY","activity_type":"primary","count":1,'
EVENT += '"domain":"acme.com","event_at":1790000000,"product_id":"app","event_id":"1"}}'


def main() -> None:
    """Print the ratios of design.md, Speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--http", default="http", help="httpie's command")
    http = parser.parse_args().http
    reo = str(Path(sys.executable).with_name("reo"))
    with tempfile.TemporaryDirectory() as folder, Sandbox() as box:
        table = Path(folder, "small.csv")
        table.write_text(CSV)
        tab = "COMP_WORDS='reo send-file --con' COMP_CWORD=2 _REO_COMPLETE=complete_bash"
        shell = ["sh", "-c", f"{tab} exec {shlex.quote(reo)}"]
        compare("--version / import typer", [reo, "--version"], TYPER, 1.5)
        compare("--help / import typer", [reo, "--help"], TYPER, 1.5)
        compare("validate, one row / import typer", [reo, "validate", str(table)], TYPER, 1.5)
        compare("one TAB / import typer", shell, TYPER, 1.5)
        key = Path(folder, "key")
        key.write_text("benchmark-key-1234")
        send = [reo, "send", "-a", "primary", "-n", "1", "-d", "acme.com", "-p", "app"]
        send += ["--endpoint", box.url, "--api-key-file", str(key)]
        options = f"data={EVENT!r}, headers={{'X-API-KEY': 'k'}}"
        post = f"import requests; requests.post({box.url!r}, {options})"
        compare("send / python requests.post", send, [sys.executable, "-c", post], 1.65)
        httpie = [http, "--ignore-stdin", "POST", box.url, "X-API-KEY:k", "--raw", EVENT]
        compare("send / http POST (httpie)", send, httpie, 0.75)


if __name__ == "__main__":
    main()
