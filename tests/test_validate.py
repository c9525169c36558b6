"""`reo validate` as a process: files, pipes, options, and what its messages lead to."""

import gzip
import json
import os
import shlex
import signal
import subprocess
import threading
import time
from typing import Any

import pytest

from tests.conftest import World, scaled

HEADER = "activity_type,count,domain,event_at,product_id\n"
ROW = "primary,{},acme.com,1710000000,reoWebApp\n"
LINE = (
    '{{"activity_type":"primary","count":{},"domain":"acme.com",'
    '"event_at":1710000000,"product_id":"p"}}\n'
)


def rows(*counts: object) -> str:
    return HEADER + "".join(ROW.format(count) for count in counts)


def test_several_files_have_totals_each(world: World) -> None:
    (world.folder / "a.csv").write_text(rows(1, 2, "x"))
    (world.folder / "b.ndjson").write_text(LINE.format(5) * 2)
    run = world.run("validate", "a.csv", "b.ndjson", "-o", "json")
    found = run.json
    names = ("status", "exit_code", "read", "valid", "invalid", "warnings", "error")
    assert run.code == 65
    assert [found[name] for name in names] == ["invalid", 65, 5, 4, 1, 1, None]
    assert [(each["file"], each["totals"]["count"]) for each in found["files"]] == [
        ("a.csv", 3),
        ("b.ndjson", 10),
    ]
    assert (found["totals"]["count"], found["totals"]["domains"]) == (13, 1)
    assert [(each["file"], each["line"], each["severity"]) for each in found["issues"]] == [
        ("a.csv", 4, "error"),
        ("b.ndjson", 2, "warning"),
    ]


def test_warnings_pass_and_are_errors_when_strict(world: World) -> None:
    (world.folder / "a.csv").write_text(rows(0, 5, 5, 0))
    assert world.run("validate", "a.csv").code == 0
    found = world.run("validate", "a.csv", "--strict", "-o", "json").json
    assert (found["exit_code"], found["invalid"], found["warnings"]) == (65, 3, 0)
    assert found["totals"]["count"] == 10  # what repeats is told at the end


def test_what_is_printed_is_bounded_and_what_is_counted_never(world: World) -> None:
    (world.folder / "a.csv").write_text(rows(*["x"] * 30, *[0] * 30))
    found = world.run("validate", "a.csv", "--max-issues", "7", "-o", "json").json
    assert (len(found["issues"]), found["invalid"], found["warnings"]) == (7, 30, 59)
    lines = world.run("validate", "a.csv", "--max-issues", "7").stdout.splitlines()
    assert ["warning" in line for line in lines[:7]] == [False] * 7
    assert lines[7] == "… and 82 more issues (`--max-issues 89` shows all)"


def test_an_unreadable_file_keeps_no_other_from_being_checked(world: World) -> None:
    (world.folder / "a.csv").write_text(rows("x"))
    names = ("validate", "missing.csv", "a.csv", ".")
    found = world.run(*names, "-o", "json").json
    assert (found["exit_code"], found["read"]) == (66, 1)
    assert "missing.csv" in found["error"]["message"]
    assert [(each["file"], each["line"]) for each in found["issues"]] == [("a.csv", 2)]
    errors = [each["error"] and each["error"]["reason"] for each in found["files"]]
    assert errors == ["no_input", None, "no_input"]
    text = world.run(*names)
    assert text.stderr.count("error: cannot read") == 2
    assert "missing.csv (not read): 0 read" in text.stdout
    assert "result: invalid: 1 of 1 record; 2 files not read to the end" in text.stdout
    github = world.run(*names, "-o", "github").stdout
    assert github.count("::error title=reo validate::cannot read") == 2


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ("''", 66, "variable"),
        ("usage.cvs", 66, "did you mean `usage.csv`?"),
        ("usage.csv --set count=1,250", 65, "--set count"),
        ("usage.csv --default event_at=soon", 65, "--default event_at"),
        ("usage.csv --map count=a --map meta.x=a", 2, "both count and meta.x"),
        ("usage.csv --max-issues x", 2, "--max-issues"),
        ("- -", 2, "is given twice"),
    ],
)
def test_what_is_wrong_before_reading(world: World, options: str, code: int, words: str) -> None:
    (world.folder / "usage.csv").write_text(rows(1))
    run = world.run("validate", *shlex.split(options), input=rows(1))
    assert run.code == code
    assert words in run.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_what_was_found(world: World, number: signal.Signals) -> None:
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with world.start("validate", "-", "-o", "json", **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write((rows(1, "x") + "\n" * 300_000).encode())
        process.stdin.flush()
        process.send_signal(number)
        process.wait(20)
        told = json.loads(process.stdout.read())
    assert process.returncode == told["exit_code"] == 128 + number
    assert told["error"]["reason"] == "interrupted"
    assert (told["read"], told["invalid"]) == (2, 1)


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
@pytest.mark.parametrize(
    "data",
    [rows(1), LINE.format(1), gzip.compress(rows(1).encode(), mtime=0), b""],
    ids=["csv", "ndjson", "gzip", "empty"],
)
def test_standard_input(world: World, name: str, data: str | bytes) -> None:
    run = world.run("validate", name, "-o", "json", input=data)
    if data:
        assert (run.code, run.json["read"], run.json["files"][0]["file"]) == (0, 1, name)
    else:
        assert (run.code, run.json["error"]["reason"]) == (66, "empty_pipe")


def test_a_named_pipe_and_a_slow_writer(world: World) -> None:
    os.mkfifo(world.folder / "pipe")
    data = b"\xef\xbb\xbf" + rows(1).encode()

    def write() -> None:
        with (world.folder / "pipe").open("wb", buffering=0) as pipe:
            for start, end in ((0, 1), (1, 3), (3, 60), (60, None)):
                pipe.write(data[start:end])
                time.sleep(0.01)

    threading.Thread(target=write).start()
    run = world.run("validate", "pipe", "-o", "json")
    assert (run.code, run.json["read"]) == (0, 1)


CHANGING = """
import os, reo_cli.checks.validation as v
real = v.share_read
def share_read(sources):
    os.truncate("a.csv", {})
    return real(sources)
v.share_read = share_read
"""
"""Changes the size of the file once 4,096 of its rows are read."""


@pytest.mark.parametrize("size", [1_000_000, 200_000])
def test_a_file_that_changes_while_it_is_read(world: World, size: int) -> None:
    (world.folder / "a.csv").write_text(rows(*range(10_000)))
    run = world.run("validate", "a.csv", "-o", "json", code=CHANGING.format(size))
    assert (run.code, run.json["error"]["reason"]) == (74, "input_changed")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "ndjson", "json"])
def test_r4_a_line_of_a_gigabyte(world: World, kind: str) -> None:
    small, path = world.folder / f"small.{kind}", world.folder / f"a.{kind}"
    first, opened, closed, last = {
        "csv": (rows(1), "primary,", "\n", ROW.format(2)),
        "ndjson": (LINE.format(1), '{"count": "', '"}\n', LINE.format(2)),
        "json": (f"[{LINE.format(1)},", '{"count": "', '"}\n,', f"{LINE.format(2)}]"),
    }[kind]
    small.write_text(first + last)
    _, least = world.measured("validate", "-o", "json", small.name)
    with path.open("w") as file:
        file.write(first + opened)
        for _ in range(scaled(1024, 50)):
            file.write("x" * (1 << 20))
        file.write(closed + last)
    run, most = world.measured("validate", "-o", "json", path.name)
    path.unlink()
    assert (run.code, run.json["read"], run.json["invalid"]) == (65, 3, 1)
    assert [each["message"].partition(" ")[2] for each in run.json["issues"]] == [
        f"{'row' if kind == 'csv' else 'record'} is longer than 1 MiB"
    ]
    assert run.json["totals"]["count"] == 3
    assert most - least <= 16


@pytest.mark.slow
def test_r4_a_quote_that_swallows_the_file(world: World) -> None:
    many = scaled(1_000_000)
    with (world.folder / "a.csv").open("w") as file:
        file.write(HEADER + 'primary,"1,acme.com,1710000000,reoWebApp\n')
        file.writelines(ROW.format(n) for n in range(1, many + 1))
    run, most = world.measured("validate", "-o", "json", "a.csv")
    assert (run.json["read"], run.json["invalid"]) == (many + 1, 1)
    assert [(each["line"], each["message"]) for each in run.json["issues"]] == [
        (2, "a quote is opened and not closed")
    ]
    assert most <= 60


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "line"), [("csv", ROW), ("ndjson", LINE)])
def test_memory_does_not_grow_with_the_rows(world: World, kind: str, line: str) -> None:
    peaks = []
    for many in (10_000, scaled(1_000_000, 50_000)):
        with (world.folder / f"{many}.{kind}").open("w") as file:
            file.write(HEADER if kind == "csv" else "")
            file.writelines(line.format(n).replace("acme", f"a{n}") for n in range(many))
        run, peak = world.measured("validate", "-o", "json", f"{many}.{kind}")
        assert (run.code, run.json["valid"]) == (0, many)
        peaks.append(peak)
    assert peaks[1] <= 60
    assert peaks[1] - peaks[0] <= 6
