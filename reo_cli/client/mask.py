"""Keeps the key out of answers, before anybody reads them: a server may send it back to us."""

import re
from functools import cached_property

MASK = "***"


class Mask:
    """Replaces one key wherever it stands, also when written with JSON or percent escapes."""

    def __init__(self, key: str) -> None:
        self._key = key.encode("ascii")

    def hide(self, data: bytes) -> bytes:
        """Give `data` without the key."""
        if self._key in data or b"\\" in data or b"%" in data:
            return self._pattern.sub(MASK.encode(), data)
        return data

    def hide_text(self, text: str) -> str:
        """Give the text of a header without the key."""
        return self.hide(text.encode("latin-1", "replace")).decode("latin-1")

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        return re.compile(b"".join(_spellings(byte) for byte in self._key))


def _spellings(byte: int) -> bytes:
    """All ways to write one character: plain, `\\/`, `\\u002f`, `%2F`."""
    plain = re.escape(bytes([byte]))
    return rb"(?:\\?%b|\\u00(?i:%02x)|%%(?i:%02x))" % (plain, byte, byte)
