"""Where files are: the user's own folders, and what a path in a setting means."""

import os
import sys
from pathlib import Path
from typing import Literal


def user_folder(kind: Literal["config", "state"]) -> Path | None:
    """Return the user config or state folder of reo, None when the system knows no home.

    `platformdirs` costs 2 to 9 ms, so it is loaded when a folder is asked for, and not where the
    XDG Base Directory Specification answers at once. Its versions differ in what they do without a
    home: raise, or name a folder below the working folder.
    """
    plain = _by_xdg(kind) if sys.platform == "linux" else None
    if plain is not None:
        return plain
    import platformdirs

    find = platformdirs.user_config_dir if kind == "config" else platformdirs.user_state_dir
    try:
        folder = Path(find("reo", appauthor=False))
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None


def _by_xdg(kind: Literal["config", "state"]) -> Path | None:
    variable, below = _XDG[kind]
    given, home = os.environ.get(variable, "").strip(), os.environ.get("HOME", "")
    if given:
        return Path(given, "reo") if given.startswith("/") else None
    return Path(home, below, "reo") if home.startswith("/") else None


_XDG = {"config": ("XDG_CONFIG_HOME", ".config"), "state": ("XDG_STATE_HOME", ".local/state")}


def expanded(base: Path, text: str) -> Path:
    """Return a path as it was meant: `~` opened, and relative to `base`."""
    path = Path(text)
    if text.startswith("~"):
        try:
            path = path.expanduser()
        except RuntimeError:  # no home: it stays a name
            path = Path(text)
    return base / path
