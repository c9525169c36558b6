"""Columns and keys: what they stand for, and what is suggested where they are no field."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import NAMES
from reo_cli.readers import ReadOptions
from reo_cli.readers.options import CommandLine, require_one_field_each
from reo_cli.readers.suggest import suggestion
from reo_cli.records import Issue, Record
from reo_cli.text import pasted
from tests.readers.reading import ALL, STRICT, as_in_a_shell, items, told

GIVEN = STRICT._replace(given=ALL.given)
META = GIVEN._replace(extra="meta", ignored=("plan",))
HITS = GIVEN._replace(mapped={"count": "Hits"})
JOINED = GIVEN._replace(mapped={"event_at": "Day+time", "domain": "user.domain"})
COUNTRY = "count,Country,Plan,\n1,x,y,\n"


def test_headers_match_whatever_their_case() -> None:
    names = " Count |EVENT-AT|productId|IP Addr|meta|meta.plan|Meta. a.b |meta.|ip|counts|"
    (found,) = told(f"{names}\n1|2|3|4|5|6|7|8|9|0|\n")
    wanted = ["count", "event_at", "product_id", "ip_addr", "meta", "plan", "a.b"]
    assert found == {name: str(number) for number, name in enumerate(wanted, 1)}


@pytest.mark.parametrize(
    ("text", "options", "found"),
    [
        (COUNTRY, ALL, {"count": "1"}),
        (COUNTRY, GIVEN, "unknown-column"),
        (COUNTRY, META, {"count": "1", "Country": "x"}),
        ("count,Count\n1,2\n", ALL, "column-twice"),
        ("count\n1\n", STRICT, "missing-column"),
        ("count,Hits\n1,2\n", HITS, "left-over-column"),
        # A file without that column has it misspelt: its own column would be a guess.
        ("count,domain\n1,a.com\n", HITS, "no-such-column"),
        ("domain\na.com\n", HITS, "no-such-column"),
        ("day,Time,user.domain\n1,2,a\n", JOINED, {"event_at": "1 2", "domain": "a"}),
        ("day,Time\n1,2\n", JOINED, "no-such-column"),
        # Keys match exactly, and paths are walked.
        ('{"count":1,"meta.a":2,"meta":{}}', GIVEN, {"count": 1, "a": 2, "meta": {}}),
        ('{"Count":1}', GIVEN, "unknown-key"),
        ('{"Hits":1,"count":2}', HITS, "left-over-key"),
        ('{"Day":1,"time":2,"user":{"domain":"a"}}', JOINED, {"event_at": "1 2", "domain": "a"}),
        ('{"Day":1,"user":{"domain":"a"},"a":1}', JOINED, "unknown-key"),
        ('{"user.domain":"a","Day+time":1}', JOINED, {"domain": "a", "event_at": 1}),
        # An object that is an event is no envelope.
        ('{"note":"a","list":[{"key":"a","value":1}]}', STRICT, "unknown-key"),
        ('{"domain":"a","date":1,"x":[{"date":2,"count":1}]}', STRICT, "unknown-key"),
        ('{"event_time":1,"company":"a.com","params":[{"key":"a"}]}', STRICT, "unknown-key"),
        ('{"note":"a","x":[{"date":"2026-09-01","count":1}]}', STRICT, "envelope"),
    ],
)
def test_what_names_stand_for(text: str, options: ReadOptions, found: Any) -> None:
    assert told(text, options)[0] == ((1, found) if isinstance(found, str) else found)


def test_a_mapped_field_is_read_from_its_key_only() -> None:
    read = told('{"Hits": 1}\n{"count": 2}', HITS)
    assert read == [{"count": 1}, (2, "left-over-key")]


def test_a_column_without_a_name_must_be_empty() -> None:
    assert told("count,\n1,\n2,x\n", GIVEN) == [{"count": "1"}, (3, "unnamed-column")]
    assert told("count,\n1,x\n", GIVEN) == [(1, "unknown-column")]
    assert told("count,\n1,x\n", extra="meta") == [{"count": "1", "column 2": "x"}]


def test_one_column_is_one_field() -> None:
    with pytest.raises(ReoError) as caught:
        require_one_field_each({"domain": "Host", "meta.host": "Host"})
    assert caught.value.exit_code is ExitCode.USAGE


MEANT = {
    "domain": "Company Domain|Domian|user.company_domain",
    "event_at": "Date|event_date|event_a|event_ts|activityAt|eventat ",
    "count": "Downloads|counts|total downloads",
    "activity_type": "acitvity_type",
    "product_id": "prodct",
    "user_agent": "useragent",
    "ip_addr": "client_ip",
    "": "Country|county|account|request_time|host|model|state|x|company_id|" + "y" * 5000,
}


@pytest.mark.parametrize("field", MEANT)
def test_suggestions(field: str) -> None:
    for name in MEANT[field].split("|"):
        mine = STRICT._replace(given=frozenset(NAMES) - {field})
        (record,) = items(json.dumps({"note": None, name: None}), mine)
        assert isinstance(record, Record)
        mapped = f"--map {pasted(f'{field}={name.strip()}')}"
        assert ((mapped if field else "--map") in record.faults[0].hint) is bool(field), name
        assert suggestion(name) == (field or None)
        # A single event has no options for its keys.
        (record,) = items(json.dumps({name: None}), mine, command=None)
        likely = f"did you mean {field} for `" if field else "other keys belong in `meta`"
        assert isinstance(record, Record)
        assert record.faults[0].hint.startswith(likely)


@pytest.mark.parametrize(
    ("text", "there", "absent"),
    [
        ("start_date,Last seen\n2026-01-01,2026-09-01\n", "`start_date` or `Last seen`", "now"),
        ("date,signup_date\n,\n", "`date` or `signup_date`", "now"),
        ("event,type,Downloads\n,,\n", "`event` or `type`", "=event"),
        ("event,type,Downloads\n,,\n", "--map count=Downloads", "=type"),
        ("company,request_count\nAcme Inc,0.1\nExample,text\na.com,x\n", "DOMAIN_COLUMN", "=r"),
        ("date,app\n2026-09-01,17\n2026-09-01,18\n", "-p PRODUCT_ID", "=app"),
        ("Domian,company domain\n,\n", "--map 'domain=company domain'", "=Dom"),
        ("domain,count,day,time\na.com,1,2026-09-01,10:00:00\n", "event_at=day+time", "COLUMN"),
        ("Tag,Ort\n13.09.2026,x\n", "--map event_at=Tag --date-format day-first", "now"),
        ("date,source\n2026-09-01,Google\n", "--set source=TELEMETRY", "map source"),
        ('{"day":"2026-09-01","from":{"source":"ads","browser":"Chrome"}}', "=day", "=from"),
        ("date,id\n2026-09-01,1\n2026-09-01,1\n", "event_at=date", "event_id"),
        ("date,id\n2026-09-01,1\n2026-09-01,2\n", "--map event_id=id", "id="),
        ('{"url": "/v1/usage", "data": [{"created": 1788220800}]}', "--records data", "map"),
        ("domain,a,b,c,d,e\n,,,,,\n", "--extra ignore", "--ignore"),
        ("domain,count,event_at,Firma\na.com,1,now,x\n", "--ignore Firma", "--extra ignore"),
    ],
)
def test_what_is_in_columns_says_what_they_could_be(text: str, there: str, absent: str) -> None:
    """All candidates are named, unless their values rule them out."""
    (found, *_) = items(text, STRICT)
    hint = found.hint if isinstance(found, Issue) else found.faults[0].hint
    assert there in hint
    assert absent not in hint.replace(there, "")


def conditions(**found: str) -> dict[str, frozenset[str]]:
    return {name: frozenset(values.split("|")) for name, values in found.items()}


TABLE = "Company,n,level,count\na.com,1,top,\\N\n,2,low,5\nb.com, 3 ,low,NULL\nTotal,6,,\n"
LINES = (
    '{"Company":"a.com","n":1,"level":"top"}\n{"n":2,"level":"low","count":5}\n'
    '{"Company":"b.com","n":"3","level":"low","count":"NULL"}\n{"Company":"Total","n":6}\n'
)


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({}, "1234"),
        ({"skip": conditions(Company="Total")}, "123"),
        ({"skip": conditions(domain="")}, "134"),
        ({"skip": conditions(domain="|Total")}, "13"),
        ({"only": conditions(level="low")}, "23"),
        ({"only": conditions(level="low|top", n="1|3")}, "13"),
        ({"only": conditions(level="")}, "4"),
        ({"skip": conditions(count="")}, "23"),
        ({"skip": conditions(count=""), "null": frozenset({"NULL"})}, "2"),
    ],
)
@pytest.mark.parametrize("text", [TABLE, LINES], ids=["csv", "json"])
def test_records_are_left_out(text: str, options: dict[str, Any], numbers: str) -> None:
    found = items(text, mapped={"domain": "Company"}, **options)
    left = [str(each.number) for each in found if isinstance(each, Record) and not each.left_out]
    assert ("".join(left), len(found)) == (numbers, 4)


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        ("domain\na.com\n", {"only": conditions(Plan="pro")}, "no-such-column"),
        ("domain\na.com\n", {"ignored": ("Plan",)}, "ignores-nothing"),
        ('{"domain":"a.com"}\n', {"only": conditions(plan="pro")}, "no-such-key"),
        ('{"domain":"a.com"}\n', {"ignored": ("plan",)}, "no-such-key"),
        ('{"domain":"a.com"}\n', {"mapped": {"count": "user.n"}}, "no-such-key"),
    ],
)
def test_an_option_that_names_nothing_is_said(
    text: str, options: dict[str, Any], code: str
) -> None:
    issues = [each.code for each in items(text, **options) if isinstance(each, Issue)]
    assert issues == [code]


@pytest.mark.parametrize("first", ["Total", "Grand Total", "total:", "Gesamt"])
def test_a_row_of_totals_is_doubted(first: str) -> None:
    found = items(f"domain,count\na.com,1\n,5\n{first},12\n")
    *others, doubt = [each.doubt for each in found if isinstance(each, Record)]
    assert others == [None, None]
    assert doubt is not None
    assert doubt.options == (("--skip", f"domain={first}"),)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_pasted_words_are_the_same(word: str) -> None:
    text = pasted(word)
    assert text.isprintable()
    assert as_in_a_shell(text) == [word]


def test_a_name_of_bytes_that_are_no_text_is_pasted() -> None:
    assert as_in_a_shell(pasted("\udcffa")) == ["\udcffa"]


@pytest.mark.parametrize(
    ("words", "inputs", "of_first", "piped"),
    [
        # The value of an option may be called like an input.
        ("-p prod u.csv prod", "u.csv prod", "-p prod u.csv", "cat u.csv | reo -p prod -"),
        ("prod u.csv -p prod", "u.csv prod", "u.csv -p prod", "cat u.csv | reo - -p prod"),
        ("u.csv -p prod -- prod", "u.csv prod", "u.csv -p prod --", "cat u.csv | reo - -p prod --"),
        ("-- -x.csv y.csv", "-x.csv y.csv", "-- -x.csv", "cat ./-x.csv | reo -- -"),
        ("-", "-", "-", "… | cat | reo -"),
    ],
)
def test_the_command_for_one_input(words: str, inputs: str, of_first: str, piped: str) -> None:
    line = CommandLine(("reo", *words.split()), tuple(inputs.split()))
    first, *_ = inputs.split()
    assert str(line.of(first)) == f"reo {of_first}"
    assert line.piped(first, "cat") == piped


def test_options_go_before_the_names_that_follow_two_dashes() -> None:
    line = CommandLine(("reo", "--", "-x.csv"), ("-x.csv",))
    assert str(line.plus("-p", "a b")) == "reo -p 'a b' -- -x.csv"
