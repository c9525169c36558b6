"""A server and runs of `send-file` to it, for every test here that names nothing else."""

from collections.abc import Iterator

import pytest

from tests.conftest import World
from tests.delivery.harness import Desk
from tests.faults import FaultServer, late


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """It takes its time, so that a run can be cut short."""
    with FaultServer(late(0.004)) as server:
        yield server


@pytest.fixture
def desk(world: World, server: FaultServer) -> Desk:
    return Desk(world, server)
