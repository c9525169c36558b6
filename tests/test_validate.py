"""`reo validate` as a process: files, pipes, options, and what its messages lead to."""

import gzip
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, World, scaled

HEADER = "activity_type,count,domain,event_at,product_id\n"
ROW = "primary,{},acme.com,1710000000,reoWebApp\n"
LINE = (
    '{{"activity_type":"primary","count":{},"domain":"acme.com",'
    '"event_at":1710000000,"product_id":"p"}}\n'
)
Reo = Callable[..., Run]


def rows(*counts: object) -> str:
    return HEADER + "".join(ROW.format(count) for count in counts)


@pytest.fixture
def folder(world: World) -> Path:
    return world.folder


def test_several_files_have_totals_each(reo: Reo, folder: Path) -> None:
    (folder / "a.csv").write_text(rows(1, 2, "x"))
    (folder / "b.ndjson").write_text(LINE.format(5) + LINE.format(5))
    run = reo("validate", "a.csv", "b.ndjson", "-o", "json")
    assert run.code == 65
    found = run.json
    assert (found["schema"], found["status"], found["exit_code"]) == (
        "reo.validate/1",
        "invalid",
        65,
    )
    assert (found["read"], found["valid"], found["invalid"], found["warnings"]) == (5, 4, 1, 1)
    assert [each["file"] for each in found["files"]] == ["a.csv", "b.ndjson"]
    assert [each["totals"]["count"] for each in found["files"]] == [3, 10]
    assert found["totals"]["count"] == 13
    assert found["totals"]["domains"] == 1
    assert [(each["file"], each["line"], each["severity"]) for each in found["issues"]] == [
        ("a.csv", 4, "error"),
        ("b.ndjson", 2, "warning"),
    ]
    assert found["error"] is None


def test_warnings_pass_and_are_errors_when_strict(reo: Reo, folder: Path) -> None:
    (folder / "a.csv").write_text(rows(0, 5, 5, 0))
    assert reo("validate", "a.csv").code == 0
    found = reo("validate", "a.csv", "--strict", "-o", "json").json
    assert (found["exit_code"], found["invalid"], found["warnings"]) == (65, 3, 0)
    assert found["totals"]["count"] == 10  # what repeats is told at the end


def test_what_is_printed_is_bounded_and_what_is_counted_never(reo: Reo, folder: Path) -> None:
    (folder / "a.csv").write_text(rows(*["x"] * 30, *[0] * 30))
    found = reo("validate", "a.csv", "--max-issues", "7", "-o", "json").json
    assert len(found["issues"]) == 7
    assert (found["invalid"], found["warnings"]) == (30, 59)
    text = reo("validate", "a.csv", "--max-issues", "7").stdout
    assert len([line for line in text.splitlines() if line.startswith("a.csv:")]) == 8
    assert "… and 82 more issues" in text
    assert "89 issues not shown" in reo("validate", "a.csv", "--max-issues", "0").stdout


def test_an_unreadable_file_keeps_no_other_from_being_checked(reo: Reo, folder: Path) -> None:
    (folder / "a.csv").write_text(rows("x"))
    run = reo("validate", "missing.csv", "a.csv", ".", "-o", "json")
    assert run.code == 66
    assert run.json["read"] == 1
    assert "missing.csv" in run.json["error"]["message"]
    assert [(each["file"], each["line"]) for each in run.json["issues"]] == [("a.csv", 2)]
    errors = [each["error"] and each["error"]["reason"] for each in run.json["files"]]
    assert errors == ["no_input", None, "no_input"]
    text = reo("validate", "missing.csv", "a.csv", ".")
    assert text.stderr.count("error: cannot read") == 2
    assert "missing.csv (not read): 0 read" in text.stdout
    assert "result: invalid: 1 of 1 record; 2 files not read to the end" in text.stdout
    github = reo("validate", "missing.csv", "a.csv", ".", "-o", "github")
    assert github.stdout.count("::error title=reo validate::cannot read") == 2


def test_a_missing_file_may_be_misspelt(reo: Reo, folder: Path) -> None:
    (folder / "usage.csv").write_text(rows(1))
    assert "did you mean `usage.csv`?" in reo("validate", "usage.cvs").stderr
    assert "working folder" in reo("validate", "other.csv").stderr


def test_standard_input_is_read_once(reo: Reo) -> None:
    for command in ("validate", "send-file"):
        run = reo(command, "-", "-", input=rows(1))
        assert run.code == 2
        assert "is given twice" in run.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_what_was_found(world: World, number: signal.Signals) -> None:
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with world.start("validate", "-", "-o", "json", **pipes) as process:
        assert process.stdin is not None
        process.stdin.write((rows(1, "x") + "\n" * 300_000).encode())
        process.stdin.flush()
        process.send_signal(number)
        process.wait(20)
        assert process.stdout is not None
        told = json.loads(process.stdout.read())
    assert process.returncode == 128 + number
    assert told["exit_code"] == 128 + number
    assert told["error"]["reason"] == "interrupted"
    assert (told["read"], told["invalid"]) == (2, 1)


@pytest.mark.parametrize(
    ("name", "words"), [("missing.csv", "no such file"), (".", "./*.csv"), ("", "variable")]
)
def test_what_cannot_be_opened(reo: Reo, name: str, words: str) -> None:
    run = reo("validate", name)
    assert run.code == 66
    assert words in run.stderr


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
@pytest.mark.parametrize(
    "data",
    [rows(1), LINE.format(1), gzip.compress(rows(1).encode(), mtime=0)],
    ids=["csv", "ndjson", "gzip"],
)
def test_standard_input(reo: Reo, name: str, data: str | bytes) -> None:
    run = reo("validate", name, "-o", "json", input=data)
    assert (run.code, run.json["read"]) == (0, 1)
    assert run.json["files"][0]["file"] == name


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_an_empty_pipe_is_no_success(reo: Reo, name: str) -> None:
    run = reo("validate", name, "-o", "json", input=b"")
    assert (run.code, run.json["error"]["reason"]) == (66, "empty_pipe")


def test_standard_input_that_is_closed(world: World) -> None:
    command = f"{sys.executable} -m reo_cli validate - <&-"
    shell = ["sh", "-c", command]
    done = subprocess.run(shell, env=world.environ(), capture_output=True, text=True)
    assert done.returncode == 66
    assert "standard input" in done.stderr


def test_a_named_pipe_and_a_slow_writer(reo: Reo, folder: Path) -> None:
    os.mkfifo(folder / "pipe")

    def write() -> None:
        with (folder / "pipe").open("wb", buffering=0) as pipe:
            for piece in (
                b"\xef",
                b"\xbb\xbf",
                HEADER.encode(),
                b"primary,1,acme",
                b".com,1710000000,p\n",
            ):
                pipe.write(piece)
                time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    run = reo("validate", "pipe", "-o", "json")
    writer.join()
    assert (run.code, run.json["read"]) == (0, 1)


@pytest.mark.parametrize("change", ["grow", "shrink"])
def test_a_file_that_changes_while_it_is_read(world: World, folder: Path, change: str) -> None:
    path = folder / "a.csv"
    path.write_text(rows(*range(300_000)))
    process = world.start("validate", "a.csv", "-o", "json", stdout=subprocess.PIPE)
    size = path.stat().st_size
    while not has_begun(process.pid, path):
        assert process.poll() is None
    with path.open("r+") as file:
        file.truncate(size + 100 if change == "grow" else size // 2)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 74
    assert json.loads(out)["error"]["reason"] == "input_changed"


def has_begun(pid: int, path: Path) -> bool:
    """Whether a process has read from a file."""
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            if link.resolve() == path:
                position = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text().split()[1]
                return int(position) > 0
    return False


def test_a_legacy_encoding_is_solved_by_the_message(world: World, folder: Path) -> None:
    (folder / "a b.csv").write_bytes(rows(1).replace("primary", "Für").encode("cp1252"))
    run = world.run("validate", "a b.csv")
    assert run.code == 65
    assert run.stdout.count("a b.csv:2: byte 0xFC") == 1
    assert pasted(world, run).code == 0


def pasted(world: World, run: Run, **values: str) -> Run:
    """Run the command that a message suggests, with `values` for its words in capitals."""
    command = run.stdout.partition("try: ")[2].partition(")\n")[0]
    words = shlex.split(command)
    assert words[0] == "reo"
    return world.run(*(values.get(word, word) for word in words[1:]))


def test_the_story_of_a_spreadsheet(world: World, folder: Path) -> None:
    """From its first error to a valid file by following only what the messages say."""
    path = folder / "export.csv"
    text = "Company Domain;Date;Downloads;Country\r\n"
    text += "acme.com;13.02.2026;1.250;DE\r\nreo.dev;01.03.2026;7;Österreich\r\n"
    path.write_bytes(text.encode("cp1252"))
    run = world.run("validate", "export.csv")
    assert run.stdout.count("export.csv:") == 2  # one issue, one line of counts
    assert "--encoding cp1252" in run.stdout  # with all else that is wrong with the header
    run = pasted(world, run, ACTIVITY_TYPE="downloads", PRODUCT_ID="reoWebApp")
    assert (run.code, "count: 1,257 in all" in run.stdout) == (0, True)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--set count=1,250", "--set count"),
        ("--default event_at=soon", "--default event_at"),
    ],
)
def test_a_value_that_no_event_could_have_is_found_before_reading(
    reo: Reo, folder: Path, option: str, words: str
) -> None:
    (folder / "a.csv").write_text(rows(1))
    run = reo("validate", "a.csv", *option.split())
    assert run.code == 65
    assert words in run.stderr


@pytest.mark.parametrize(
    "options", [["--map", "count=a", "--map", "meta.x=a"], ["--max-issues", "x"], []]
)
def test_wrong_usage(reo: Reo, folder: Path, options: list[str]) -> None:
    (folder / "a.csv").write_text(rows(1))
    assert reo("validate", *(["a.csv", *options] if options else [])).code == 2


def test_github_annotations(reo: Reo, folder: Path) -> None:
    (folder / "a.csv").write_text(rows(0, '"::stop-commands::x"', 3))
    summary = folder / "summary.md"
    run = reo("validate", "a.csv", "-o", "github", env={"GITHUB_STEP_SUMMARY": str(summary)})
    assert run.code == 65
    lines = run.stdout.splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::warning"]
    assert "file=a.csv,line=3,title=count" in lines[0]
    assert "3 read" in run.stderr
    assert summary.read_text().startswith("### reo validate")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "ndjson", "json"])
def test_r4_a_line_of_a_gigabyte(world: World, folder: Path, kind: str) -> None:
    small, path = folder / f"small.{kind}", folder / f"a.{kind}"
    first, last = (LINE.format(1), LINE.format(2)) if kind != "csv" else (rows(1), ROW.format(2))
    opened = '{"count": "' if kind != "csv" else "primary,"
    if kind == "json":
        first, last = f"[{first},", f",{last}]"
    small.write_text(first + last.lstrip(",") if kind != "json" else first + last[1:])
    _, least = world.measured("validate", "-o", "json", small.name)
    with path.open("wb") as file:
        file.write(first.encode() + opened.encode())
        for _ in range(scaled(1024, 50)):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n' if kind != "csv" else b"\n")
        file.write(last.encode())
    run, most = world.measured("validate", "-o", "json", path.name)
    path.unlink()
    assert run.code == 65
    assert (run.json["read"], run.json["invalid"]) == (3, 1)
    assert [each["message"] for each in run.json["issues"]] == [
        "the row is longer than 1 MiB" if kind == "csv" else "the record is longer than 1 MiB"
    ]
    assert run.json["totals"]["count"] == 3
    assert most - least <= 16


@pytest.mark.slow
def test_r4_a_quote_that_swallows_the_file(world: World, folder: Path) -> None:
    many = scaled(1_000_000)
    path = folder / "a.csv"
    with path.open("w") as file:
        file.write(HEADER + 'primary,"1,acme.com,1710000000,reoWebApp\n')
        file.writelines(ROW.format(n) for n in range(1, many + 1))
    run, most = world.measured("validate", "-o", "json", path.name)
    assert (run.json["read"], run.json["invalid"]) == (many + 1, 1)
    assert [(each["line"], each["message"]) for each in run.json["issues"]] == [
        (2, "a quote is opened and not closed")
    ]
    assert most <= 60


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_memory_does_not_grow_with_the_rows(world: World, folder: Path, kind: str) -> None:
    peaks = []
    for many in (10_000, scaled(1_000_000, 50_000)):
        path = folder / f"{many}.{kind}"
        with path.open("w") as file:
            file.write(HEADER if kind == "csv" else "")
            for n in range(many):
                line = ROW if kind == "csv" else LINE
                file.write(line.format(n).replace("acme", f"a{n}"))
        run, peak = world.measured("validate", "-o", "json", path.name)
        assert (run.code, run.json["valid"]) == (0, many)
        peaks.append(peak)
    assert peaks[1] <= 60
    assert peaks[1] - peaks[0] <= 6
