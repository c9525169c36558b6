"""Columns and keys: what they stand for, and what is suggested where they are no field."""

import os
import subprocess
from typing import Any

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from reo_cli.errors import ExitCode, ReoError
from reo_cli.readers import ReadOptions
from reo_cli.readers.advice import header_problem
from reo_cli.readers.columns import Columns, header_target, missing
from reo_cli.readers.options import CommandLine, require_one_field_each
from reo_cli.readers.suggest import candidates, suggestion
from reo_cli.text import pasted


def test_headers_match_whatever_their_case() -> None:
    names = " Count |EVENT-AT|productId|IP Addr|meta|meta.plan|Meta. a.b |meta.|ip|counts|"
    assert [header_target(name) for name in names.split("|")] == [
        *("count", "event_at", "product_id", "ip_addr", "meta", "meta.plan", "meta.a.b"),
        *([None] * 4),
    ]


MEANT = {
    "domain": "Company Domain|Domian|user.company_domain|email-domain",
    "event_at": "Date|event_date|event_a|event_ts|activityAt|eventat ",
    "count": "Downloads|counts|total downloads",
    "activity_type": "acitvity_type",
    "product_id": "prodct",
    "user_agent": "useragent",
    "ip_addr": "client_ip",
    None: "Country|county|account|request_time|host|model|state|x|company_id|" + "y" * 5000,
}


@pytest.mark.parametrize("field", MEANT)
def test_suggestions(field: str | None) -> None:
    names = MEANT[field].split("|")
    assert {name: suggestion(name) for name in names} == dict.fromkeys(names, field)


COUNTED = ReadOptions(mapped={"count": "Hits"})
JOINED = ReadOptions(mapped={"event_at": "Day+time", "domain": "user.domain"})
EXTRA = "count Country Plan "


@pytest.mark.parametrize(
    ("names", "options", "wanted"),
    [
        (EXTRA, ReadOptions(), {"unknown": ["Country", "Plan"]}),
        (EXTRA, ReadOptions(extra="ignore"), {"targets": ["count", None, None, None]}),
        (
            *(EXTRA, ReadOptions(extra="meta", ignored=("plan",))),
            {"targets": ["count", "meta.Country", None, None]},
        ),
        ("count Hits", COUNTED, {"targets": [None, "count"], "left_over": ["count"]}),
        # A file without that column has it misspelt: its own column would be a guess.
        ("count domain", COUNTED, {"targets": ["count", "domain"], "unmapped": ["count"]}),
        ("domain", COUNTED, {"unmapped": ["count"]}),
        ("day Time", JOINED, {"joined": {"event_at": ["day", "Time"]}, "unmapped": ["domain"]}),
    ],
)
def test_columns(names: str, options: ReadOptions, wanted: dict[str, Any]) -> None:
    found = Columns(names.split(" "), options, header=True)
    assert {name: getattr(found, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("names", "options", "wanted"),
    [
        ("count meta.a", ReadOptions(), {"targets": ["count", "meta.a"], "is_plain": False}),
        ("Count", ReadOptions(), {"unknown": ["Count"]}),
        (
            *("Day time user a", JOINED),
            {"joined": {"event_at": ["Day", "time"], "domain": ["user.domain"]}, "unknown": ["a"]},
        ),
        ("user.domain Day+time", JOINED, {"targets": ["domain", "event_at"], "joined": {}}),
    ],
)
def test_keys_match_exactly_and_paths_are_walked(
    names: str, options: ReadOptions, wanted: dict[str, Any]
) -> None:
    found = Columns(names.split(" "), options, header=False)
    assert {name: getattr(found, name) for name in wanted} == wanted


def test_one_column_is_one_field() -> None:
    with pytest.raises(ReoError) as caught:
        require_one_field_each({"domain": "Host", "meta.host": "Host"})
    assert caught.value.exit_code is ExitCode.USAGE


SAMPLES = {
    "company": ["Acme Inc", "Example Ltd", "a.com"],
    "request_count": ["0.1", "text", "x"],
    "day": ["2026-09-01"],
    "time": ["10:00:00"],
    "app": ["17", "18"],
}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("date,signup_date", {"event_at": ["date", "signup_date"]}),
        ("event,type,Downloads", {"activity_type": ["event", "type"], "count": ["Downloads"]}),
        ("company,request_count", {}),
        ("app", {}),
        ("Domian,company domain", {"domain": ["company domain"]}),
    ],
)
def test_all_candidates_are_named_unless_their_values_rule_them_out(
    names: str, found: dict[str, list[str]]
) -> None:
    assert candidates(names.split(","), (), SAMPLES) == found


@pytest.mark.parametrize(
    ("header", "mapped"),
    [
        ("Company Domain,Date,Downloads,Country", {}),
        ("count,Count,domain,event_at", {}),
        ("count,Hits,domain,event_at", {"count": "Hits"}),
        ("Company,count,event_at", {"domain": "Compny"}),
        ("domain,a,b,c,d,e,f", {}),
        ("ip_addr, Country ,count", {}),
        ('domain,it\'s "x"', {}),
        ("Company\nDomain,Tab\there,count,\u200bevent_at,N\u00a0B", {}),
        ("domain,count,When,signup_date,event date", {}),
        ("Downloads,Note,domain,activity_type,product_id,event_at", {"count": "nope"}),
        ("domain,Company Domain,Count,When", {"count": "Cnt", "event_at": "Wann"}),
        ("activity_type,count,domain,product_id,Firma", {}),
        ("domain,count,day,time", {}),
    ],
)
def test_the_command_to_paste_mends_the_header(header: str, mapped: dict[str, str]) -> None:
    names = header.split(",")
    words = [word for pair in mapped.items() for word in ("--map", "=".join(pair))]
    files = ("my file.csv", "other.csv")
    line = CommandLine(("reo", "validate", *files, *words), files)
    options = ReadOptions(mapped=mapped, command=line)
    columns = Columns(names, options, header=True)
    assert not columns.is_good or missing(columns.fields, options.given)
    hint = header_problem(columns, options, "my file.csv", SAMPLES).hint
    words = as_in_a_shell(hint.partition("try: ")[2])
    assert words[:3] == ["reo", "validate", "my file.csv"]
    better = as_options(words[3:])
    blanks = [each for each in ("TIME_COLUMN", "COUNT_COLUMN", "DOMAIN_COLUMN") if each in hint]
    columns = Columns([*names, *blanks], better, header=True)
    assert columns.is_good
    assert not missing(columns.fields, better.given)


def as_in_a_shell(command: str) -> list[str]:
    """Return the words that a shell makes of a command line."""
    script = f"printf '%s\\0' {command}"
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, env=environ)
    return done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


def as_options(words: list[str]) -> ReadOptions:
    """Read the options that a suggestion may have."""
    found: dict[str, list[str]] = {}
    for option, value in zip(words[::2], words[1::2], strict=True):
        found.setdefault(option, []).append(value)
    short = {"-a": "activity_type", "-p": "product_id"}
    given = {short[option] for option in short if found.pop(option, ())}
    given |= {value.partition("=")[0] for value in found.pop("--default", ())}
    mapped = [value.partition("=") for value in found.pop("--map", ())]
    assert len(mapped) == len({field for field, _, _ in mapped})
    ignored, extra = found.pop("--ignore", []), found.pop("--extra", [])
    assert not found
    return ReadOptions(
        mapped={field: column for field, _, column in mapped},
        extra="ignore" if extra == ["ignore"] else "error",
        ignored=tuple(ignored),
        given=frozenset(given),
    )


@given_any(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_pasted_words_are_the_same(word: str) -> None:
    text = pasted(word)
    assert text.isprintable()
    assert as_in_a_shell(text) == [word]


def test_a_name_of_bytes_that_are_no_text_is_pasted() -> None:
    assert as_in_a_shell(pasted("\udcffa")) == ["\udcffa"]


def test_the_value_of_an_option_may_be_called_like_an_input() -> None:
    for words in ("-p prod u.csv prod", "prod u.csv -p prod", "u.csv -p prod -- prod"):
        line = CommandLine(("reo", "validate", *words.split()), ("u.csv", "prod"))
        assert str(line.of("u.csv")).count("prod") == 1
        assert "-p prod" in str(line.of("u.csv"))
        assert "-p prod" in line.piped("u.csv", "zstdcat")


def test_options_go_before_the_names_that_follow_two_dashes() -> None:
    line = CommandLine(("reo", "validate", "--", "-x.csv", "y.csv"), ("-x.csv", "y.csv"))
    assert str(line.of("-x.csv").plus("-p", "a b")) == "reo validate -p 'a b' -- -x.csv"


@pytest.mark.parametrize(
    ("words", "file", "piped"),
    [
        ("a.xz c", "a.xz", "xzcat a.xz | reo validate -"),
        ("-- -w.xz", "-w.xz", "xzcat ./-w.xz | reo validate -- -"),
        ("-", "-", "… | xzcat | reo validate -"),
    ],
)
def test_an_input_is_piped_through_another_program(words: str, file: str, piped: str) -> None:
    line = CommandLine(("reo", "validate", *words.split()), (*{file, words.split()[-1]},))
    assert line.piped(file, "xzcat") == piped
