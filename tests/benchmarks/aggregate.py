"""What summing raw rows costs, beside a plain check and DuckDB alone.

    .venv/bin/python -m tests.benchmarks.aggregate [--rows N] [--raw N]

Ratios are of CPU seconds, which a busy machine does not change.
"""

import argparse
import random
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from tests.benchmarks.pairs import REO, Cost, cost, judged

DAILY = """
    SELECT 'pull' AS activity_type, domain, date_trunc('day', event_at) AS event_at,
      count(*) AS count
    FROM input GROUP BY ALL
"""
ALONE = """
import duckdb, sys
source = f"read_{sys.argv[1].rpartition('.')[2]}('{sys.argv[1]}')"
duckdb.execute("SET memory_limit = '512MB'")
duckdb.execute(f"CREATE VIEW input AS SELECT * FROM {source}")
duckdb.execute(f"COPY ({sys.argv[2]}) TO '{sys.argv[1]}.ndjson' (FORMAT json)")
"""


def write(path: Path, rows: int, companies: int, days: int) -> str:
    """Write raw rows that are `companies` times `days` sums."""
    chance = random.Random(1)
    with path.open("w") as file:
        file.write("domain,event_at\n")
        for _ in range(rows):
            at = datetime(2026, 8, 1) + timedelta(seconds=chance.randrange(days * 86_400))
            file.write(f"company{chance.randrange(companies)}.com,{at.isoformat()}Z\n")
    return str(path)


def show(name: str, ours: Cost, theirs: Cost, at_most: float) -> None:
    ratio = judged(ours.cpu / theirs.cpu, at_most)
    print(f"{name:34} {ours}\n{'':34} {theirs}   {ratio}", flush=True)


def main() -> None:
    """Print the costs and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows for --roll-up")
    parser.add_argument("--raw", type=int, default=5_000_000, help="rows for --sql")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def validate(path: str, *more: str) -> Cost:
            return cost([REO, "validate", path, "-p", "cli", "-q", *more], {"HOME": name})

        raw = write(folder / "raw.csv", options.rows, 500, 20)
        check = validate(raw, "-a", "pull", "--set", "count=1")
        roll_up = validate(raw, "-a", "pull", "--roll-up", "day")
        show(f"--roll-up of {options.rows:,} rows / validate", roll_up, check, 1.3)
        many = write(folder / "many.csv", options.rows, 1_000_000, 28)
        groups = validate(many, "-a", "pull", "--roll-up", "day")
        print(f"{'about as many sums as rows':34} {groups}", flush=True)
        table = write(folder / "big.csv", options.raw, 500, 20)
        copy = f"COPY (FROM '{table}') TO '{folder}/big.parquet' (FORMAT parquet)"
        cost([sys.executable, "-c", f'import duckdb; duckdb.execute("{copy}")'])
        for file in (table, f"{folder}/big.parquet"):
            alone = cost([sys.executable, "-c", ALONE, file, DAILY])
            checked = validate(f"{file}.ndjson")
            both = Cost(alone.wall + checked.wall, alone.cpu * 1.5 + checked.cpu, 0)
            title = f"--sql of {options.raw:,} {file[-7:]} / 1.5 x DuckDB + check"
            show(title, validate(file, "--sql", DAILY), both, 1.0)


if __name__ == "__main__":
    main()
