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
import subprocess
import tempfile
from pathlib import Path

from tests.benchmarks.pairs import REO, compare_commands, cost

MANY = 1_000_000
AT_LEAST = 50_000
"""Rows a second (design.md, Speed)."""

COLUMNS: dict[str, dict[str, object]] = {
    "activity_type": {"type": "string", "constraints": {"required": True}},
    "count": {"type": "integer", "constraints": {"required": True, "minimum": 0}},
    "ip_addr": {"type": "string"},
    "domain": {"type": "string"},
    "event_at": {"type": "integer", "constraints": {"minimum": 100_000_000}},
    "product_id": {"type": "string", "constraints": {"required": True}},
    "environment": {"type": "string"},
}
"""The columns as a Table Schema has them."""


def write(folder: Path, rows: int) -> tuple[Path, Path, Path]:
    """Write the same random events as CSV, NDJSON and one JSON array."""
    chance = random.Random(1)
    paths = folder / f"{rows}.csv", folder / f"{rows}.ndjson", folder / f"{rows}.json"
    with paths[0].open("w") as table, paths[1].open("w") as lines, paths[2].open("w") as array:
        table.write(",".join(COLUMNS) + "\n")
        for row in range(rows):
            ip = f"{chance.randint(11, 99)}.{chance.getrandbits(8)}.{chance.getrandbits(8)}.1"
            company = f"company{chance.randrange(5000)}.com"
            time = 1_790_000_000 + row
            values = ("primary", chance.randint(1, 5000), ip, company, time, "app", "P")
            event = json.dumps(dict(zip(COLUMNS, values, strict=True)))
            table.write(",".join(map(str, values)) + "\n")
            lines.write(event + "\n")
            array.write(("," if row else "[") + event)
        array.write("]")
    return paths


def main() -> None:
    """Print the ratios, then the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="rows for the comparison")
    parser.add_argument("--peers", default="", help="folder of check-jsonschema and frictionless")
    options = parser.parse_args()
    peer = os.path.join(options.peers, "")  # noqa: PTH118 - keeps an empty folder empty
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, _, array = write(folder, options.rows)
        schema, rules = folder / "schema.json", folder / "table.json"
        event = json.loads(subprocess.check_output([REO, "validate", "--print-schema"]))
        event.pop("$schema")
        schema.write_text(json.dumps({"type": "array", "items": event}))
        fields = [{"name": name, **rule} for name, rule in COLUMNS.items()]
        rules.write_text(json.dumps({"fields": fields}))
        checker = [f"{peer}check-jsonschema", "--schemafile", str(schema), str(array)]
        frictionless = [f"{peer}frictionless", "validate", "--trusted", str(table)]
        frictionless += ["--schema", str(rules)]
        for title, ours, theirs in (
            ("JSON / check-jsonschema", array, checker),
            ("CSV / frictionless", table, frictionless),
        ):
            compare_commands(title, [REO, "validate", str(ours)], theirs, 1, runs=3)
        for path in write(folder, MANY)[:2]:
            spent = cost([REO, "validate", str(path)])
            rate = MANY / spent.cpu
            verdict = "ok" if rate >= AT_LEAST else "MISSED"
            print(f"{path.suffix:8} {MANY:,} rows: {spent}, {rate:,.0f} a second {verdict}")


if __name__ == "__main__":
    main()
