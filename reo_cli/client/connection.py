"""One attempt at a time over a `requests.Session`, waited for: body → `Outcome`.

The connection is opened when needed and kept. When the server has left a kept one before the first
byte of an answer, the same request goes out once more on a new one, uncounted (reliability.md 1).
"""

import time
from functools import partial
from typing import Any

import urllib3
from requests import PreparedRequest, Request, Response, Session
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3.exceptions import HTTPError, ReadTimeoutError, SystemTimeWarning

from reo_cli.client.answers import Answer, Fault
from reo_cli.client.faults import Failed, TooLarge
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
        self._attempt = Attempt()
        self._mask = Mask(target.key)
        self._request = target.request.copy()
        self._session = Session()
        self._session.trust_env = False
        self._session.cookies = _NoCookies()
        self._session.adapters.clear()
        self._session.mount("", _Adapter(target, self._attempt))

    def attempt(self, body: bytes, timeout: float | None = None) -> Outcome:
        """Send one body and say what came of it.

        Ends by `timeout` seconds (the target's unless given); never raises for what network or
        server do.
        """
        self._request.body = body
        self._request.headers["Content-Length"] = str(len(body))
        return classify(self._ask(self._request, timeout or self._target.timeout))

    def greet(self) -> Answer | Fault:
        """Ask for nothing: `HEAD /` without key and event, as `config doctor` does."""
        root = "/".join(self._target.url.split("/")[:3])
        request = Request("HEAD", f"{root}/", headers={"User-Agent": USER_AGENT}).prepare()
        return self._ask(request, self._target.timeout)

    @property
    def tls(self) -> tuple[str, Any] | None:
        """Version of TLS and certificate of the other end, as the connection was opened."""
        return getattr(self._attempt.line, "session", None)

    def close(self) -> None:
        """Close what is open."""
        self._session.close()

    def _ask(self, request: PreparedRequest, seconds: float) -> Answer | Fault:
        self._attempt.begin(seconds)
        result = self._exchange(request)
        if isinstance(result, Fault) and self._was_left():
            result = self._exchange(request)
        return result

    def _was_left(self) -> bool:
        """Tell whether a kept connection ended before its answer, with time for another."""
        attempt = self._attempt
        late = time.monotonic() >= attempt.at
        return not (attempt.opened or attempt.received or late)

    def _exchange(self, request: PreparedRequest) -> Answer | Fault:
        attempt = self._attempt
        attempt.unsent = None
        try:
            response = self._session.send(
                request, stream=True, allow_redirects=False, proxies={}, timeout=attempt.seconds
            )
        except Failed as failed:
            return failed.fault
        raw: Any = response.raw
        body, problem = self._read(raw)
        if attempt.unsent is not None:
            problem = TOO_EARLY
        if problem or attempt.rest or raw.status < 200 or not raw.closed:
            raw.close()
            if attempt.line is not None:
                attempt.line.close()
        return self._answer(raw, body, problem)

    def _read(self, raw: Any) -> tuple[bytes, str]:
        """Read the body; gives it with what is wrong with its end, if anything."""
        body = b""
        try:
            while len(body) <= BODY_LIMIT:
                piece = raw.read1(BODY_LIMIT + 1 - len(body), decode_content=False)
                body += piece
                if not piece or raw.length_remaining == 0:
                    return body, ""
        except TooLarge:
            pass
        except ReadTimeoutError:
            return body, LATE
        except HTTPError:
            return body, BAD_CHUNK if raw.chunked and not self._attempt.eof else CUT_OFF
        return body[:BODY_LIMIT], TOO_LARGE

    def _answer(self, raw: Any, body: bytes, problem: str) -> Answer:
        pairs = ((name, raw.headers.getlist(name)) for name in HEADERS)
        headers = {name: self._mask("\n".join(values)) for name, values in pairs if values}
        return Answer(
            status=raw.status,
            headers=headers,
            body=self._mask.data(body),
            framed=not problem,
            problem=problem,
            url=self._target.url,
            read_at=time.time(),
        )


class _NoCookies(RequestsCookieJar):
    """A jar that takes nothing: an answer can neither steer the next request nor fill memory."""

    def extract_cookies(self, *_: object) -> None:
        """Leave them."""


class _Adapter(HTTPAdapter):
    """Gives every request to the one pool of one connection, which has our trust and our clock."""

    def __init__(self, target: Target, attempt: Attempt) -> None:
        super().__init__()
        manager: urllib3.PoolManager
        tls: dict[str, Any] = {} if target.tls is None else {"ssl_context": target.tls}
        if target.proxy is None:
            manager = urllib3.PoolManager(**tls)
        else:
            manager = urllib3.ProxyManager(
                target.proxy.url,
                proxy_headers=target.proxy.headers,
                proxy_ssl_context=target.tls,
                **tls,
            )
        pool: Any = manager.connection_from_url(target.url)
        kind: Any = Timed if target.tls is None else TimedTls
        pool.ConnectionCls = partial(kind, attempt=attempt, target=target)
        self._pool = pool

    def get_connection_with_tls_context(self, *_: object, **__: object) -> Any:
        """Give our pool."""
        return self._pool

    def cert_verify(self, *_: object, **__: object) -> None:
        """The pool has a context that checks; requests would load the certificates anew."""

    def request_url(self, request: PreparedRequest, *_: object, **__: object) -> str:
        """Give the path: even through a proxy we speak to the API itself."""
        return request.path_url

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """Give what is read of an answer: requests is to guess no encoding and see no redirect.

        The one costs a fifth of an attempt; of the other it would read all, even unfollowed.
        """
        response = Response()
        response.status_code, response.raw, response.request = resp.status, resp, req
        return response

    def close(self) -> None:
        """Close the pool, which is not the one that requests knows of."""
        super().close()
        self._pool.close()
