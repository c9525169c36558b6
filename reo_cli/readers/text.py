"""Bytes → text: unpacked if they are gzip, decoded, and cut into blocks where lines end.

Nothing here knows CSV or JSON. What cannot be turned into text ends the input with an exception
that says where; all whole lines before it have been handed on.
"""

import codecs
import zlib
from collections.abc import Iterator
from itertools import chain

from reo_cli.readers.source import BLOCK, Source

RECORD_LIMIT = 1024 * 1024
"""Characters of the longest record (reliability.md section 5)."""

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
"""Byte order marks; the longer of two that begin alike comes first."""


class Undecodable(Exception):
    """Bytes that are no text in the input's encoding.

    `offset` counts bytes from the start of the (unpacked) input; `near` are the bytes around it
    and `place` is the offending byte's place among them. `cut` says that the input ends in the
    middle of a character, `mixed` that text other than ASCII was good before.
    """

    def __init__(
        self, encoding: str, offset: int, near: bytes, place: int, *, cut: bool, mixed: bool
    ) -> None:
        super().__init__(encoding, offset)
        self.encoding = encoding
        self.offset = offset
        self.near = near
        self.place = place
        self.cut = cut
        self.mixed = mixed


class CutOff(Exception):
    """A compressed input that ends before its end, or is damaged."""


def unpacked(source: Source) -> Iterator[bytes]:
    """Yield the bytes of an input, decompressed if it is gzip, never empty; raises CutOff."""
    if source.peek(2) != b"\x1f\x8b":
        while data := source.read():
            yield data
        return
    yield from filter(None, _gunzipped(source))


def _gunzipped(source: Source) -> Iterator[bytes]:
    """Decompress the members of a gzip file, one after the other, as RFC 1952 has them."""
    unzip = None
    while data := source.read():
        while data:
            if unzip is None:
                data = data.lstrip(b"\0")  # some programs pad the end with zeros
                if not data:
                    break
                if data[0] != 0x1F:
                    raise CutOff("something else follows the compressed data")
                unzip = zlib.decompressobj(wbits=31)
            try:
                yield unzip.decompress(data, BLOCK * 4)
            except zlib.error as fault:
                raise CutOff(str(fault)) from fault
            data, unzip = (unzip.unused_data, None) if unzip.eof else (unzip.unconsumed_tail, unzip)
    if unzip is not None:
        raise CutOff("the end of the compressed data is missing")


def decoded(chunks: Iterator[bytes], encoding: str | None) -> Iterator[str]:
    """Yield text in blocks that end with a line's end where there is one; raises Undecodable.

    None is empty. A byte order mark decides, then `encoding`, then UTF-8. What has arrived is
    passed on at once: a slow pipe is never waited for to fill a block.
    """
    first = next(chunks, b"")
    while len(first) < 4 and (more := next(chunks, b"")):
        first += more
    mark, name = next(
        ((mark, name) for mark, name in _MARKS if first.startswith(mark)),
        (b"", encoding or "utf-8"),
    )
    decoder = codecs.getincrementaldecoder(name)()
    offset = len(mark)
    carry = ""
    mixed = False
    for data in chain(filter(None, chain([first[len(mark) :]], chunks)), [b""]):
        try:
            text = decoder.decode(data, not data)
        except UnicodeError as fault:
            good, problem = _undecodable(name, data, offset, fault, mixed)
            text = carry + good
            if whole := text[: last_end(text + "\0")]:  # a CR before the fault ends its line
                yield whole
            raise problem from fault
        mixed = mixed or not text.isascii()
        offset += len(data)
        text = carry + text if carry else text
        cut = last_end(text) if data else len(text)
        if not cut and len(text) > BLOCK:
            cut = len(text) - text.endswith("\r")
        carry = text[cut:]
        if cut:
            yield text[:cut]


def _undecodable(
    name: str, data: bytes, offset: int, fault: UnicodeError, mixed: bool
) -> tuple[str, Undecodable]:
    """Return the good text before the fault, and the exception to raise."""
    if not isinstance(fault, UnicodeDecodeError):  # codecs that are more than a table
        return "", Undecodable(name, offset, data[:1], 0, cut=False, mixed=mixed)
    seen = fault.object
    start = offset - (len(seen) - len(data))
    good = seen[: fault.start].decode(name, "ignore")
    begin = max(0, fault.start - 40)
    near = seen[begin : fault.start + 40]
    problem = Undecodable(
        name,
        start + fault.start,
        near,
        fault.start - begin,
        cut=not data,
        mixed=mixed or not good.isascii(),
    )
    return good, problem


def last_end(text: str) -> int:
    """Return the place behind the last line's end, 0 when there is none."""
    return max(text.rfind("\n"), text.rfind("\r", 0, len(text) - 1)) + 1
