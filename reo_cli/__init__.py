"""Upload aggregated telemetry events to Reo.Dev's Product Usage API, each one once.

The public names are loaded when they are first used: `reo help library` explains them.
"""

TYPE_CHECKING = False  # as type checkers know it; `typing` alone takes longer than all of this
if TYPE_CHECKING:
    from reo_cli.delivery.summary import SendResult as SendResult
    from reo_cli.delivery.summary import Summary as Summary
    from reo_cli.errors import ReoError as ReoError
    from reo_cli.library.calls import Client as Client
    from reo_cli.library.calls import Event as Event
    from reo_cli.library.calls import deliver as deliver
    from reo_cli.library.failures import InvalidData as InvalidData
    from reo_cli.library.failures import Misconfigured as Misconfigured
    from reo_cli.library.failures import TryAgain as TryAgain
    from reo_cli.library.settings import Settings as Settings
    from reo_cli.sandbox import Sandbox as Sandbox

__version__ = "1.0.0"

_HOMES = {
    "Client": "library.calls",
    "Event": "library.calls",
    "InvalidData": "library.failures",
    "Misconfigured": "library.failures",
    "ReoError": "errors",
    "Sandbox": "sandbox",
    "SendResult": "delivery.summary",
    "Settings": "library.settings",
    "Summary": "delivery.summary",
    "TryAgain": "library.failures",
    "deliver": "library.calls",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
