"""Lines of access logs, as Apache and nginx write them."""

import pytest

from reo_cli.readers.accesslog import COLUMNS, cells_of

COMMON = '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326'
COMBINED = f'{COMMON} "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"'
CELLS = (
    *("127.0.0.1", "frank", "2000-10-10T13:55:36-07:00", "GET", "/apache_pb.gif", "200", "2326"),
    *("http://www.example.com/start.html", "Mozilla/4.08 [en] (Win98; I ;Nav)"),
)
WHOLE = dict(zip(COLUMNS, CELLS, strict=False))


def read(line: str) -> dict[str, str] | None:
    cells = cells_of(line)
    if cells is None:
        return None
    return {name: cell for name, cell in zip(COLUMNS, cells, strict=True) if cell}


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
        (COMBINED.replace("(Win98", r"\"quoted\" \\ \x22 \xc3 (Win98"), {
            "user_agent": 'Mozilla/4.08 [en] "quoted" \\ " \\xc3 (Win98; I ;Nav)'
        }),
        (with_request(r"\x16\x03\x01"), {"method": None, "path": r"\x16\x03\x01"}),
        (with_request("-"), {"method": None, "path": None}),
        (with_request("GET /a b HTTP/1.1"), {"method": None, "path": "GET /a b HTTP/1.1"}),
        (with_request("PURGE *"), {"method": "PURGE", "path": "*"}),
    ],
)  # fmt: skip
def test_a_line_of_a_log(line: str, changes: dict[str, str | None]) -> None:
    wanted = {**WHOLE, **changes}
    assert read(line) == {name: cell for name, cell in wanted.items() if cell}


def test_what_is_no_line_of_a_log() -> None:
    lines = ["", "# comment", "a,b,c", COMMON.replace("/Oct/", "/Okt/"), COMMON[: len(COMMON) // 2]]
    lines += [COMMON.replace(" -0700", ""), COMMON.replace('HTTP/1.0"', "HTTP/1.0")]
    assert [read(line) for line in lines] == [None] * 7


def test_a_line_made_to_be_slow_is_not() -> None:
    assert read('1.1.1.1 - - [10/Oct/2000:13:55:36 -0700] "' + '\\"' * 200_000) is None
    assert read("1.1.1.1 - " + "a " * 200_000) is None
