"""Columns and keys: what they stand for, and what is suggested where they are no field."""

import os
import subprocess

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


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("count", "count"),
        (" Count ", "count"),
        ("EVENT-AT", "event_at"),
        ("productId", "product_id"),
        ("IP Addr", "ip_addr"),
        ("meta", "meta"),
        ("meta.plan", "meta.plan"),
        ("Meta. a.b ", "meta.a.b"),
        ("meta.", None),
        ("ip", None),
        ("counts", None),
        ("", None),
    ],
)
def test_headers_match_whatever_their_case(name: str, target: str | None) -> None:
    assert header_target(name) == target


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("Company Domain", "domain"),
        ("Date", "event_at"),
        ("Downloads", "count"),
        ("counts", "count"),
        ("acitvity_type", "activity_type"),
        ("prodct", "product_id"),
        ("Domian", "domain"),
        ("useragent", "user_agent"),
        ("Country", None),
        ("county", None),
        ("account", None),
        ("request_time", None),
        ("host", None),
        ("user.company_domain", "domain"),
        ("model", None),
        ("state", None),
        ("x", None),
        ("y" * 5000, None),
        ("event_date", "event_at"),
        ("event_a", "event_at"),
        ("event_ts", "event_at"),
        ("activityAt", "event_at"),
        ("eventat ", "event_at"),
        ("company_id", None),
        ("total downloads", "count"),
        ("client_ip", "ip_addr"),
        ("email-domain", "domain"),
    ],
)
def test_suggestions(name: str, target: str | None) -> None:
    assert suggestion(name) == target


def test_json_keys_match_exactly() -> None:
    assert Columns(["count", "meta.a"], ReadOptions(), header=False).targets == ["count", "meta.a"]
    assert Columns(["Count"], ReadOptions(), header=False).unknown == ["Count"]


def test_extra_and_ignored_columns() -> None:
    names = ["count", "Country", "Plan", ""]
    assert Columns(names, ReadOptions(), header=True).unknown == ["Country", "Plan"]
    kept = Columns(names, ReadOptions(extra="meta", ignored=("plan",)), header=True)
    assert kept.targets == ["count", "meta.Country", None, None]
    found = Columns(names, ReadOptions(extra="ignore"), header=True)
    assert found.targets == ["count", None, None, None]


def test_a_mapped_field_leaves_its_own_column_over() -> None:
    options = ReadOptions(mapped={"count": "Hits"})
    found = Columns(["count", "Hits"], options, header=True)
    assert found.targets == [None, "count"]
    assert found.left_over == ["count"]
    # A file without that column has it misspelt: its own column would be a guess.
    found = Columns(["count", "domain"], options, header=True)
    assert (found.targets, found.unmapped) == (["count", "domain"], ["count"])
    assert Columns(["domain"], options, header=True).unmapped == ["count"]


def test_columns_are_joined_and_paths_walked() -> None:
    options = ReadOptions(mapped={"event_at": "Day+time", "domain": "user.domain"})
    found = Columns(["day", "Time", "domain"], options, header=True)
    assert found.joined == {"event_at": ["day", "Time"]}
    assert found.unmapped == ["domain"]
    found = Columns(["Day", "time", "user", "a"], options, header=False)
    assert found.joined == {"event_at": ["Day", "time"], "domain": ["user.domain"]}
    assert found.unknown == ["a"]
    exact = Columns(["user.domain", "Day+time"], options, header=False)
    assert exact.targets == ["domain", "event_at"]


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
    ("header", "given"),
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
def test_the_command_to_paste_mends_the_header(header: str, given: dict[str, str]) -> None:
    names = header.split(",")
    words = [word for pair in given.items() for word in ("--map", "=".join(pair))]
    files = ("my file.csv", "other.csv")
    options = ReadOptions(
        mapped=given, command=CommandLine(("reo", "validate", *files, *words), files)
    )
    columns = Columns(names, options, header=True)
    assert not columns.is_good or missing(columns.fields, options.given)
    hint = header_problem(columns, options, "my file.csv", SAMPLES).hint
    words = as_in_a_shell(hint.partition("try: ")[2])
    assert words[:3] == ["reo", "validate", "my file.csv"]
    better = as_options(words[3:])
    for blank in ("TIME_COLUMN", "COUNT_COLUMN", "DOMAIN_COLUMN"):
        names += [blank] if blank in hint else []
    columns = Columns(names, better, header=True)
    assert columns.is_good
    assert not missing(columns.fields, better.given)


def as_in_a_shell(command: str) -> list[str]:
    """Return the words that a shell makes of a command line."""
    script = f"printf '%s\\0' {command}"
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, env=environ)
    return done.stdout.decode().split("\0")[:-1]


def as_options(words: list[str]) -> ReadOptions:
    """Read the options that a suggestion may have."""
    columns, ignored, extra, given = {}, set(), "error", set()
    for option, value in zip(words[::2], words[1::2], strict=True):
        match option:
            case "--map":
                assert value.partition("=")[0] not in columns
                columns[value.partition("=")[0]] = value.partition("=")[2]
            case "--ignore":
                ignored.add(value)
            case "--extra":
                extra = value
            case "--default":
                given.add(value.partition("=")[0])
            case "-a" | "-p":
                given.add({"-a": "activity_type", "-p": "product_id"}[option])
            case _:
                pytest.fail(option)
    return ReadOptions(
        mapped=columns,
        extra="ignore" if extra == "ignore" else "error",
        ignored=tuple(ignored),
        given=frozenset(given),
    )


def test_options_go_before_the_names_that_follow_two_dashes() -> None:
    line = CommandLine(("reo", "validate", "--", "-x.csv", "y.csv"), ("-x.csv", "y.csv"))
    assert str(line.of("-x.csv").plus("-p", "a b")) == "reo validate -p 'a b' -- -x.csv"


@given_any(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_pasted_words_are_the_same(word: str) -> None:
    text = pasted(word)
    assert text.isprintable()
    assert as_in_a_shell(text) == [word]


def test_a_name_of_bytes_that_are_no_text_is_pasted() -> None:
    script = f"printf %s {pasted(chr(0xDCFF) + 'a')}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert done.stdout == b"\xffa"


def test_the_value_of_an_option_may_be_called_like_an_input() -> None:
    for words in ("-p prod u.csv prod", "prod u.csv -p prod", "u.csv -p prod -- prod"):
        line = CommandLine(("reo", "validate", *words.split()), ("u.csv", "prod"))
        assert "-p prod" in str(line.of("u.csv"))
        assert str(line.of("u.csv")).count("prod") == 1
        assert "-p prod" in line.piped("u.csv", "zstdcat")


def test_an_input_is_piped_through_another_program() -> None:
    line = CommandLine(("reo", "validate", "a b.xz", "c"), ("a b.xz", "c"))
    assert line.piped("a b.xz", "xzcat") == "xzcat 'a b.xz' | reo validate -"
    line = CommandLine(("reo", "validate", "--", "-w.xz"), ("-w.xz",))
    assert line.piped("-w.xz", "xzcat") == "xzcat ./-w.xz | reo validate -- -"
    line = CommandLine(("reo", "validate", "-"), ("-",))
    assert line.piped("-", "xzcat") == "… | xzcat | reo validate -"
