"""The bytes of a request body: the same in every attempt and every run."""

from reo_cli.checks.content import encode


def request_body(event_id: str | int, content: bytes) -> bytes:
    """Return the body for an event: its `event_id` and its canonical content in the envelope."""
    return b'{"payload":{"event_id":%b,%b}' % (encode(event_id).encode(), content[1:])
