"""How fast files are validated, beside `check-jsonschema` and `frictionless` on the same rows.

    .venv/bin/python -m tests.benchmarks.validate [--rows N] [--peers FOLDER]

`--peers` is the `bin` folder of an environment that has both installed. `check-jsonschema` gets the
schema that reo prints and the events as one JSON array, `frictionless` the CSV and the same rules
as a Table Schema. Then reo alone reads 1,000,000 rows on one core, in seconds of that core.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.pairs import Command, compare

MANY = 1_000_000
AT_LEAST = 50_000
"""Rows a second (design.md, Speed)."""

COLUMNS = ("activity_type", "count", "ip_addr", "domain", "event_at", "product_id", "environment")
TABLE_SCHEMA = {
    "fields": [
        {"name": "activity_type", "type": "string", "constraints": {"required": True}},
        {"name": "count", "type": "integer", "constraints": {"required": True, "minimum": 0}},
        {"name": "ip_addr", "type": "string"},
        {"name": "domain", "type": "string"},
        {"name": "event_at", "type": "integer", "constraints": {"minimum": 100_000_000}},
        {"name": "product_id", "type": "string", "constraints": {"required": True}},
        {"name": "environment", "type": "string"},
    ]
}


def write(folder: Path, rows: int) -> tuple[Path, Path, Path]:
    """Write the same random events as CSV, NDJSON and one JSON array."""
    chance = random.Random(1)
    paths = folder / f"{rows}.csv", folder / f"{rows}.ndjson", folder / f"{rows}.json"
    with paths[0].open("w") as table, paths[1].open("w") as lines, paths[2].open("w") as array:
        table.write(",".join(COLUMNS) + "\n")
        for row in range(rows):
            ip = f"{chance.randint(11, 99)}.{chance.getrandbits(8)}.{chance.getrandbits(8)}.1"
            domain = f"company{chance.randrange(5000)}.com"
            values = (
                "primary",
                chance.randint(1, 5000),
                ip,
                domain,
                1_790_000_000 + row,
                "app",
                "P",
            )
            event = json.dumps(dict(zip(COLUMNS, values, strict=True)))
            table.write(",".join(map(str, values)) + "\n")
            lines.write(event + "\n")
            array.write(("," if row else "[") + event)
        array.write("]")
    return paths


def alone(command: Command, rows: int) -> None:
    """Print how many rows a second of one core a command reads, and its most memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rate = rows / took
    verdict = "ok" if rate >= AT_LEAST else "MISSED"
    name = Path(command[-1]).suffix
    print(f"{name:8} {rows:,} rows in {took:.1f} s of one core: {rate:,.0f} a second {verdict}")


def main() -> None:
    """Print the ratios, then the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="rows for the comparison")
    parser.add_argument("--peers", default="", help="folder of check-jsonschema and frictionless")
    options = parser.parse_args()
    reo = str(Path(sys.executable).with_name("reo"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, lines, array = write(folder, options.rows)
        schema, rules = folder / "schema.json", folder / "table.json"
        printed = subprocess.run(
            [reo, "validate", "--print-schema"], check=True, capture_output=True
        )
        event = json.loads(printed.stdout)
        event.pop("$schema")
        schema.write_text(json.dumps({"type": "array", "items": event}))
        rules.write_text(json.dumps(TABLE_SCHEMA))
        peer = os.path.join(options.peers, "")  # noqa: PTH118 - keeps an empty folder empty
        checker = [f"{peer}check-jsonschema", "--schemafile", str(schema), str(array)]
        frictionless = [f"{peer}frictionless", "validate", "--trusted", str(table)]
        frictionless += ["--schema", str(rules)]
        compare("JSON / check-jsonschema", [reo, "validate", str(array)], checker, 1, runs=3)
        compare("CSV / frictionless", [reo, "validate", str(table)], frictionless, 1, runs=3)
        table, lines, _ = write(folder, MANY)
        alone([reo, "validate", str(table)], MANY)
        alone([reo, "validate", str(lines)], MANY)


if __name__ == "__main__":
    main()
