"""What stands in for a form or a meter where nothing is to be shown."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reo_cli.delivery.summary import Settled
    from reo_cli.progress import Progress


class NoForm:
    """`-q` without a machine format: the exit code is the result."""

    def settled(self, settled: "Settled") -> None:
        """Nothing."""

    def finish(self, result: object) -> None:
        """Nothing."""


class NoMeter:
    """Shows nothing."""

    def show(self, progress: "Progress") -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
