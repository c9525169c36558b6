"""Lines of access logs, as Apache and nginx write them."""

import pytest

from tests.readers.reading import told

COMMON = '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326'
COMBINED = f'{COMMON} "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"'
WHOLE = {
    "ip_addr": "127.0.0.1",
    "user": "frank",
    "event_at": "2000-10-10T13:55:36-07:00",
    "method": "GET",
    "path": "/apache_pb.gif",
    "status": "200",
    "bytes": "2326",
    "referer": "http://www.example.com/start.html",
    "user_agent": "Mozilla/4.08 [en] (Win98; I ;Nav)",
}


def with_request(text: str) -> str:
    return COMBINED.replace("GET /apache_pb.gif HTTP/1.0", text)


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        (COMMON, {"referer": None, "user_agent": None}),  # the examples of Apache's manual
        (f"{COMBINED}\r\n", {}),
        (f'{COMBINED} "203.0.113.9, 10.0.0.1"', {"forwarded_for": "203.0.113.9"}),  # nginx's main
        (f'{COMBINED} "-" 0.003 "x"', {}),
        (COMBINED.replace("frank", "-").replace(" 2326", " -"), {"user": None, "bytes": None}),
        (COMBINED.replace("frank", "Frank B. Jones"), {"user": "Frank B. Jones"}),
        (COMBINED.replace("127.0.0.1", "2001:db8::1"), {"ip_addr": "2001:db8::1"}),
        (
            COMBINED.replace("(Win98", r"\"quoted\" \\ \x22 \xc3 (Win98"),
            {"user_agent": 'Mozilla/4.08 [en] "quoted" \\ " \\xc3 (Win98; I ;Nav)'},
        ),
        (with_request(r"\x16\x03\x01"), {"method": None, "path": r"\x16\x03\x01"}),
        (with_request("-"), {"method": None, "path": None}),
        (with_request("GET /a b HTTP/1.1"), {"method": None, "path": "GET /a b HTTP/1.1"}),
        (with_request("PURGE *"), {"method": "PURGE", "path": "*"}),
    ],
)
def test_a_line_of_a_log(line: str, changes: dict[str, str | None]) -> None:
    wanted = {name: cell for name, cell in {**WHOLE, **changes}.items() if cell}
    assert told(line, extra="meta") == [wanted]


@pytest.mark.parametrize(
    "line",
    [
        *("# comment", "a,b,c", COMMON.replace("/Oct/", "/Okt/"), COMMON[: len(COMMON) // 2]),
        *(COMMON.replace(" -0700", ""), COMMON.replace('HTTP/1.0"', "HTTP/1.0")),
        # Lines made to be slow, and one that is too long.
        '1.1.1.1 - - [10/Oct/2000:13:55:36 -0700] "' + '\\"' * 200_000,
        *("1.1.1.1 - " + "a " * 200_000, "1.1.1.1 - " + "a " * 1_000_000),
    ],
    ids=range(9),
)
@pytest.mark.timeout(20)
def test_what_is_no_line_of_a_log(line: str) -> None:
    first, wrong, last = told(f"{COMMON}\n\n{line}\n{COMMON}\n", name="access.log")
    assert (first, wrong) == (last, (3, "not-a-log-line"))
