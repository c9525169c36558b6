"""One attempt at a time over a `requests.Session`, waited for: body → `Outcome`.

The connection is opened when needed and kept. When the server has left a kept one before the first
byte of an answer, the same request goes out once more on a new one, uncounted (reliability.md 1).
"""

import time
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import urllib3
from requests import PreparedRequest, Request, Response, Session
from requests.adapters import BaseAdapter
from requests.cookies import RequestsCookieJar
from urllib3.exceptions import HTTPError, ReadTimeoutError, SystemTimeWarning

from reo_cli.client.answers import Answer
from reo_cli.client.faults import Failed
from reo_cli.client.outcome import CUT_OFF, Outcome, classify
from reo_cli.client.target import USER_AGENT, Target
from reo_cli.client.timed import Attempt, Timed, TimedTls
from reo_cli.text import Mask

BODY_LIMIT = 64 * 1024
"""Bytes of an answer's body that are read."""

TOO_LARGE = "the answer is larger than 64 KiB"
LATE = "the answer was not complete in time"
BAD_CHUNK = "the answer has a bad chunk"
TOO_EARLY = "an answer came before the whole event was sent"

HEADERS = ("content-encoding", "content-type", "date", "location", "retry-after")
"""Those that an outcome, or a message, depends on."""

urllib3.disable_warnings(SystemTimeWarning)  # a wrong clock is named where it is to blame


class Connection:
    """A connection to one target; for one thread only."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.seen = Attempt(target)
        """What has been seen in the attempt that is under way, or was made last."""
        self._mask = Mask(target.key)
        self._request = target.request.copy()
        self._session = Session()
        self._session.trust_env = False
        # An answer can neither steer the next request nor fill memory.
        self._session.cookies = RequestsCookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._session.adapters.clear()
        self._line = Timed(self.seen) if target.tls is None else TimedTls(self.seen)
        self._session.mount("", _Adapter(self._line))

    def attempt(self, body: bytes, timeout: float | None = None) -> Outcome:
        """Send one body and say what came of it.

        Ends by `timeout` seconds (the target's unless given); never raises for what network or
        server do.
        """
        self._request.body = body
        self._request.headers["Content-Length"] = str(len(body))
        try:
            return classify(self._ask(self._request, timeout or self._target.timeout))
        except Failed as failed:
            return failed.outcome

    def greet(self) -> Answer:
        """Ask for nothing: `HEAD /` without key and event, as `config doctor` does.

        Raises `Failed` for no answer.
        """
        root = "/".join(self._target.url.split("/")[:3])
        request = Request("HEAD", f"{root}/", headers={"User-Agent": USER_AGENT}).prepare()
        return self._ask(request, self._target.timeout)

    def close(self) -> None:
        """Close what is open."""
        self._session.close()

    def _ask(self, request: PreparedRequest, seconds: float) -> Answer:
        self.seen.begin(seconds)
        try:
            return self._exchange(request)
        except Failed:
            if not self.seen.was_left():
                raise
            return self._exchange(request)

    def _exchange(self, request: PreparedRequest) -> Answer:
        seen = self.seen
        seen.unsent = None
        given: Any = {"stream": True, "allow_redirects": False, "proxies": {}}
        try:
            raw: Any = self._session.send(request, **given).raw
        except Failed:
            self._line.close()  # the next request finds no half of this one
            raise
        body, problem = self._read(raw)
        if seen.unsent is not None:
            problem = TOO_EARLY
        if problem or raw.status < 200 or not raw.closed:
            raw.close()
            self._line.close()
        values = {name: "\n".join(raw.headers.getlist(name)) for name in HEADERS}
        return Answer(
            status=raw.status,
            headers={name: self._mask(value) for name, value in values.items() if value},
            body=self._mask.data(body),
            problem=problem,
            url=self._target.url,
            read_at=time.time(),
        )

    def _read(self, raw: Any) -> tuple[bytes, str]:
        """Read the body; gives it with what is wrong with its end, if anything."""
        body = b""
        try:
            while len(body) <= BODY_LIMIT:
                piece = raw.read1(BODY_LIMIT + 1 - len(body), decode_content=False)
                body += piece
                if not piece or raw.length_remaining == 0:
                    return body, ""
        except ReadTimeoutError:
            return body, LATE
        except HTTPError:
            return body, BAD_CHUNK if raw.chunked and not self.seen.eof else CUT_OFF
        return body[:BODY_LIMIT], TOO_LARGE


class _Adapter(BaseAdapter):
    """Gives every request to one connection, which has our trust and our clock.

    It is asked for the path alone: even through a proxy we speak to the API itself. The `Response`
    has no headers: requests is to guess no encoding, and to see no redirect, whose body it reads.
    """

    def __init__(self, line: Timed) -> None:
        super().__init__()
        self._line = line

    def send(self, request: PreparedRequest, *_: object, **__: object) -> Response:
        """Send it, and give the answer with its body unread; raises `Failed`."""
        line: Any = self._line
        if not line.is_connected:  # nor is one on which something has come since the last answer
            line.close()
            line.connect()
        with suppress(BrokenPipeError):  # a server may refuse a request before it has read it all
            line.request(
                *(request.method, request.path_url, request.body, request.headers),
                preload_content=False,
                decode_content=False,
            )
        response = Response()
        response.raw, response.request = line.getresponse(), request
        response.status_code = response.raw.status
        return response

    def close(self) -> None:
        """Close the connection."""
        self._line.close()
