"""Columns and keys: what they stand for, and what is suggested where they are no field."""

import shlex

import pytest

from reo_cli.errors import ExitCode, ReoError
from reo_cli.readers.headers import extended, header_issue
from reo_cli.readers.names import (
    NameRules,
    header_target,
    plan,
    require_one_field_each,
    suggestion,
)


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
        ("model", None),
        ("state", None),
        ("x", None),
        ("y" * 5000, None),
    ],
)
def test_suggestions(name: str, target: str | None) -> None:
    assert suggestion(name) == target


def test_json_keys_match_exactly() -> None:
    assert plan(["count", "meta.a"], NameRules(), header=False).targets == ("count", "meta.a")
    assert plan(["Count"], NameRules(), header=False).unknown == ("Count",)


def test_extra_and_ignored_columns() -> None:
    names = ["count", "Country", "Plan", ""]
    assert plan(names, NameRules(), header=True).unknown == ("Country", "Plan")
    kept = plan(names, NameRules(extra="meta", ignored=frozenset({"Plan"})), header=True)
    assert kept.targets == ("count", "meta.Country", None, None)
    assert plan(names, NameRules(extra="ignore"), header=True).targets == (
        "count",
        None,
        None,
        None,
    )


def test_a_mapped_field_leaves_its_own_column_over() -> None:
    rules = NameRules({"count": "Hits"})
    found = plan(["count", "Hits"], rules, header=True)
    assert found.targets == (None, "count")
    assert found.left_over == ("count",)
    # A file without that column has it misspelt: its own column would be a guess.
    found = plan(["count", "domain"], rules, header=True)
    assert (found.targets, found.unmapped) == (("count", "domain"), ("count",))
    assert plan(["domain"], rules, header=True).unmapped == ("count",)


def test_one_column_is_one_field() -> None:
    with pytest.raises(ReoError) as caught:
        require_one_field_each({"domain": "Host", "meta.host": "Host"})
    assert caught.value.exit_code is ExitCode.USAGE


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
    ],
)
def test_the_command_to_paste_mends_the_header(header: str, given: dict[str, str]) -> None:
    names = header.split(",")
    words = [word for pair in given.items() for word in ("--map", "=".join(pair))]
    rules = NameRules(given, command=shlex.join(["reo", "validate", "my file.csv", *words]))
    issue = header_issue(names, plan(names, rules, header=True), rules)
    assert issue is not None
    pasted = shlex.split(issue[1].partition("try: ")[2])
    assert pasted[:3] == ["reo", "validate", "my file.csv"]
    better = as_rules(pasted[3:])
    assert header_issue(names, plan(names, better, header=True), better) is None


def as_rules(words: list[str]) -> NameRules:
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
    assert extra in ("error", "ignore")
    return NameRules(
        columns, "ignore" if extra == "ignore" else "error", frozenset(ignored), frozenset(given)
    )


def test_options_go_before_the_names_that_follow_two_dashes() -> None:
    assert extended("reo validate -- -x.csv", ["-p", "a b"]) == "reo validate -p 'a b' -- -x.csv"


def test_a_first_line_of_values_is_no_header() -> None:
    names = ["primary", "12", "acme.com"]
    issue = header_issue(names, plan(names, NameRules(), header=True), NameRules())
    assert issue is not None
    assert "holds values" in issue[0]
