"""Records as they come: at once from a file, through a thread from a pipe that may be slow.

A slow pipe must not keep answers from being recorded, so it is never read where they are.
"""

import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Protocol

from reo_cli.records import Issue, Record

AHEAD = 256
"""Records read ahead of a pipe's consumer at most."""

LINGER = 0.2
"""Seconds in which the reader of a pipe, once told to stop, hands over its next record."""

Item = Record | Issue


class Feed(Protocol):
    """The records of one input."""

    def poll(self) -> Item | None:
        """Return the next item, or None when none is there yet; raises StopIteration at the end."""

    def leave(self) -> Iterator[Item]:
        """Stop reading; yield what was read already and could not be read again."""


class FileFeed:
    """Reads in the caller's thread."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items

    def poll(self) -> Item | None:
        """Return the next item; raises StopIteration at the end."""
        return next(self._items)

    def leave(self) -> Iterator[Item]:
        """Stop reading; a file can be read again."""
        return iter(())


class PipeFeed:
    """Reads in a thread of its own and calls `wake` when there is something new.

    After `stop` was called the items end where what has come out of the pipe does.
    """

    def __init__(
        self, items: Iterator[Item], wake: Callable[[], None], stop: Callable[[], None]
    ) -> None:
        self._items = items
        self._wake = wake
        self._stop = stop
        self._room = threading.Semaphore(AHEAD)
        self._ready: SimpleQueue[Item | BaseException] = SimpleQueue()
        threading.Thread(target=self._read, name="reo-reader", daemon=True).start()

    def _read(self) -> None:
        try:
            for item in self._items:
                self._room.acquire()
                self._ready.put(item)
                self._wake()
            self._ready.put(StopIteration())
        except BaseException as fault:  # noqa: BLE001 - raised again where the records are taken
            self._ready.put(fault)
        self._wake()

    def poll(self) -> Item | None:
        """Return the next item or None; raises StopIteration, or what reading raised."""
        try:
            item = self._ready.get_nowait()
        except Empty:
            return None
        if isinstance(item, BaseException):
            self._ready.put(item)  # the end stays the end
            raise item
        self._room.release()
        return item

    def leave(self) -> Iterator[Item]:
        """Stop reading; yield what has come out of the pipe already."""
        self._stop()
        while True:
            try:
                item = self._ready.get(timeout=LINGER)
            except Empty:
                return  # the thread waits for the pipe: nothing is left in memory
            if isinstance(item, BaseException):
                self._ready.put(item)
                return
            self._room.release()
            yield item
