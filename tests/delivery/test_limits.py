"""More inputs or connections than descriptors: it works, or one line names the limit (R9)."""

import json
import re
import resource
from collections.abc import Callable

import pytest

from tests.delivery.harness import Desk, row
from tests.faults import late


def descriptors(soft: int, hard: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("soft", [64, 256])
def test_hundreds_of_inputs_with_few_descriptors(desk: Desk, soft: int) -> None:
    """Also with a rejects file for all but the first 20 of them."""
    names = [
        desk.csv([row(2 * n), row(2 * n + 1, **({"count": "x"} if n >= 20 else {}))], f"{n}.csv")
        for n in range(720)
    ]
    options = ("--skip-invalid", "-o", "json")
    process = desk.start(*names, *options, stdout=-1, preexec_fn=descriptors(soft, soft))
    out, err = process.communicate(timeout=100)
    assert process.returncode == 1, err
    result = json.loads(out)
    assert (result["delivered"], result["invalid"]) == (740, 700)
    assert len(list(desk.world.folder.glob("*.reo-rejects"))) == 700


def test_the_soft_limit_is_raised(desk: Desk) -> None:
    desk.server.script = late(0.05)
    file = desk.csv([row(n) for n in range(400)])
    process = desk.start(file, "--concurrency", "64", preexec_fn=descriptors(40, 4096))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert desk.server.connections > 32


def test_too_few_descriptors_for_the_connections(desk: Desk) -> None:
    desk.server.script = late(0.05)
    file = desk.csv([row(n) for n in range(400)])
    process = desk.start(file, "--concurrency", "64", preexec_fn=descriptors(40, 40))
    _, err = process.communicate(timeout=60)
    assert process.returncode in (0, 73, 74, 78), err
    if process.returncode:
        (line,) = [each for each in err.decode().splitlines() if each.startswith("error: ")]
        assert re.search("open (no more )?files", line)
    assert desk.send(file).code == 0


@pytest.mark.parametrize("limit", [5, 6, 7, 9, 10])
def test_no_descriptor_for_what_comes_first(desk: Desk, limit: int) -> None:
    """A module, the input, the ledger, its journal, a lock, a connection: the limit is named."""
    file = desk.csv([row(1)])
    process = desk.start(file, preexec_fn=descriptors(limit, limit))
    _, err = process.communicate(timeout=60)
    assert process.returncode in (73, 74), err
    assert b"more files" in err or b"too many files" in err
    assert b"ulimit -n" in err
