"""Exports that people have, through the real command: what messages say leads to valid events."""

import json
import shlex
from typing import Any

import pytest

from reo_cli.readers import ReadOptions
from reo_cli.readers.source import BLOCK
from reo_cli.records import Issue, Record
from tests.conftest import World
from tests.readers.reading import ALL, WHOLE, items, told

GIVEN = {"ACTIVITY_TYPE": "downloads", "PRODUCT_ID": "cli", "COUNT_COLUMN": "count"}


def led_to(world: World, name: str, **blanks: str) -> list[str]:
    """Follow what the only issue of a file suggests, filled in, until it is valid: the command."""
    words = ["validate", name]
    for asked in range(4):
        run = world.run(*words, "-o", "json")
        if not run.code:
            assert asked <= MOST_LOOKS.get(name.partition(".")[0], 1)
            return words
        (issue,) = run.json["issues"]
        whole = shlex.split(issue["hint"].partition("try: ")[2])[1:]
        added = shlex.split(issue["hint"].partition("add ")[2].replace(",", ""))[:2]
        assert whole or added, issue
        words = whole or [*words, *added]
        words = [word for word in words if word not in ("-o", "json")]
        for blank, value in {**GIVEN, **blanks}.items():
            words = [word.replace(blank, value) for word in words]
    raise AssertionError(issue)


def sent(world: World, command: list[str]) -> list[dict[str, Any]]:
    """The payloads that a dry run would send."""
    run = world.run("send-file", "--dry-run", "-o", "ndjson", *command[1:])
    assert run.code == 0, run.stderr
    return [each["payload"] for each in run.lines if "payload" in each]


TABLES = {
    "preamble": "# exported by x\n# on y\nCompany Domain,Date,Downloads\nacme.com,2026-09-01,3\n",
    "title": "Downloads by company\nall\n\nCompany Domain,Date,Downloads\nacme.com,2026-09-01,3\n",
    "index": ",domain,count,event_at\n0,acme.com,3,2026-09-01\n",
    "no_header": "acme.com,3,2026-09-01\n",
    "two_columns": "domain,count,date,time\nacme.com,3,2026-09-01,00:00:00\n",
    "two_dates": "signup_date,domain,last_seen_date,count\n2026-09-01,acme.com,2026-01-01,3\n",
    "nested": '{"count":3,"time":"2026-09-01","user":{"company_domain":"acme.com"}}\n',
    "envelope": '[{"day":"2026-09-01","rows":[{"domain":"acme.com","count":3}]}]',
    "views": '{"count":54,"domain":"acme.com","views":[{"timestamp":"2026-09-01","count":3}]}',
    "dates": "Company Domain;Date;Downloads\nacme.com;01.09.2026;3\nb.com;13.09.2026;1.250\n",
    "mails": "Email,Date,Downloads\nann@acme.com,2026-09-01,3\n",
    "legacy": "domain;event_at;count;meta.x\nacme.com;01.09.2026;3;\u00fc\nb.de;13.09.2026;7;\n",
    "total": "domain,event_at,count\nacme.com,2026-09-01,3\nTotal,,3\n",
    "nulls": "Domain,Day,Hits\nacme.com,2026-09-01,3\nNULL,2026-09-01,4\n",
    "no_company": "domain,event_at,count\nacme.com,2026-09-01,3\n,2026-09-01,9\n",
    "elastic": '{"took":3,"hits":{"total":{"value":1},"hits":[{"_id":"a","_source":'
    '{"@timestamp":"2026-09-01T00:00:00Z","domain":"acme.com","count":3}}]}}',
    "joined": '\ufeff{"count":3,"domain":"acme.com","day":"2026-09-01"}\n',
}
MOST_LOOKS = {"title": 2, "no_header": 2, "envelope": 2, "views": 2, "legacy": 2, "total": 2}
MOST_LOOKS |= dict.fromkeys(("nulls", "no_company", "elastic"), 2)
"""Messages until the file is valid: one, but where what is behind cannot be seen at first."""

BLANKS = {"NAME1": "domain", "NAME2": "count", "NAME3": "event_at", "TIME_COLUMN": "signup_date"}


@pytest.mark.parametrize("name", TABLES)
def test_the_messages_lead_to_the_event(world: World, name: str) -> None:
    path = world.folder / f"{name}{'.json' if TABLES[name][0] in '{[﻿' else '.csv'}"
    path.write_text(TABLES[name], "cp1252" if name == "legacy" else "utf-8")
    payload, *_ = sent(world, led_to(world, path.name, **BLANKS))
    found = {name: payload[name] for name in ("domain", "count", "event_at")}
    assert found == {"domain": "acme.com", "count": 3, "event_at": 1788220800}


CSV = "Company,n,level,count\na.com,1,top,\\N\n,2,low,5\nb.com, 3 ,low,NULL\nTotal,6,,\n"
JSON = (
    '{"Company":"a.com","n":1,"level":"top"}\n{"n":2,"level":"low","count":5}\n'
    '{"Company":"b.com","n":"3","level":"low","count":"NULL"}\n{"Company":"Total","n":6}\n'
)


def conditions(**found: str) -> dict[str, frozenset[str]]:
    return {name: frozenset(values.split("|")) for name, values in found.items()}


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
@pytest.mark.parametrize("text", [CSV, JSON], ids=["csv", "json"])
def test_records_are_left_out(text: str, options: dict[str, Any], numbers: str) -> None:
    found = items(text, ALL._replace(mapped={"domain": "Company"}, **options))
    left = [str(each.number) for each in found if isinstance(each, Record) and not each.left_out]
    assert ("".join(left), len(found)) == (numbers, 4)


def test_what_is_left_out_is_counted_and_nobodys_failure(world: World) -> None:
    (world.folder / "a.csv").write_text(
        "domain,count,event_at\nacme.com,3,2026-09-01\n,4,2026-09-01\nTotal,7,\nnote\n"
    )
    words = ["a.csv", "-a", "x", "-p", "y", "--skip", "domain=Total", "--skip", "domain="]
    words += ["--skip", "domain=note", "-o", "json"]
    checked = world.run("validate", *words)
    assert (checked.code, checked.json["read"], checked.json["skipped"]) == (0, 1, 3)
    run = world.run("send-file", "--sandbox", *words)
    assert (run.code, run.json["delivered"], run.json["skipped"]) == (0, 1, 3)


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
    assert [
        each.code for each in items(text, ALL._replace(**options)) if isinstance(each, Issue)
    ] == [code]


INNER = '{"domain":"a.com"},{"domain":"b.com","count":9}'


@pytest.mark.parametrize(
    ("text", "path", "found"),
    [
        ('{"count":1,"rows":[%s]}', "rows", [("a.com", 1), ("b.com", 9)]),
        ('{"count":1,"x":{"y":{"rows":[%s]}}}', "x.y.rows", [("a.com", 1), ("b.com", 9)]),
        ('[{"count":1,"rows":[%s]},{"rows":[]}]', "rows", [("a.com", 1), ("b.com", 9)]),
        ('{"count":1,"x":[{"count":2,"rows":[%s]}]}', "x.rows", [("a.com", 2), ("b.com", 9)]),
        ('{"a.b":[%s]}\n{"c":1,"a.b":[]}', "a.b", [("a.com", None), ("b.com", 9)]),
        ('{"rows":{"domain":"a.com"}}', "rows", [("a.com", None)]),
    ],
)
@pytest.mark.parametrize("drip", [1, WHOLE])
def test_records_inside_documents(text: str, path: str, found: list[Any], drip: int) -> None:
    spaced = text.replace("%s", INNER).replace(":", " :\n ")
    options = ReadOptions(records=path, extra="ignore")
    read = [each for each in told(spaced, options, drip=drip) if isinstance(each, dict)]
    assert [(each["domain"], each.get("count")) for each in read] == found


def test_a_document_may_be_larger_than_a_record() -> None:
    text = '{"source":"x","rows":[' + ",".join(['{"domain":"a.com"}'] * 100_000) + '],"event_at":1}'
    *read, last = told(text, ReadOptions(records="rows", extra="ignore"))
    assert read == [{"source": "x", "domain": "a.com"}] * 100_000
    assert last == (1, "late-key")  # the records were read without it


def test_a_number_may_be_cut_in_two_by_a_block() -> None:
    before = '"note":"' + "x" * (BLOCK - 24) + '","event_at":'
    assert len(before) == BLOCK - 3
    text = "{\n" + before + '12345,"rows":[{"domain":"a.com"}]}'
    (found,) = told(text, ReadOptions(records="rows", extra="ignore"))
    assert found == {"event_at": 12345, "domain": "a.com"}


@pytest.mark.parametrize("text", ['{"a":1}', '{"rows":3}', '{"rows":[1]}', "[[3]]", '{"rows":[{]}'])
def test_documents_without_records(text: str) -> None:
    ((_, code),) = told(text, ReadOptions(records="rows"), name="x.json")
    assert code in ("no-records", "not-an-object", "not-json")


def test_first_contact_is_one_issue_with_one_command(world: World) -> None:
    record = {"company_domain": "acme.com", "event_time": "2026-09-01", "event_type": "login"}
    more = [{f"property_{n}": None for n in range(start, 37)} for start in range(3)]
    lines = (json.dumps({**record, **more[number % 3]}) + "\n" for number in range(2000))
    (world.folder / "a.ndjson").write_text("".join(lines))
    run = world.run("validate", "-o", "json", "a.ndjson")
    (issue,) = run.json["issues"]
    assert (run.json["invalid"], issue["code"]) == (2000, "unknown-key")
    assert "--map event_at=event_time" in issue["hint"]
    assert issue["hint"].endswith("--extra ignore")
    command = issue["hint"].partition("try: ")[2].replace(" -o json", "")
    command = command.replace("--map count=COUNT_COLUMN", "--default count=1")
    assert len(sent(world, shlex.split(command.replace("PRODUCT_ID", "cli"))[1:])) == 2000


@pytest.mark.parametrize(
    ("text", "there", "absent"),
    [
        ("start_date,Last seen\n2026-01-01,2026-09-01\n", "`start_date` or `Last seen`", "now"),
        ("Tag,Ort\n13.09.2026,x\n", "--map event_at=Tag --date-format day-first", "now"),
        ("date,source\n2026-09-01,Google\n", "--set source=TELEMETRY", "map source"),
        ('{"day":"2026-09-01","from":{"source":"ads","browser":"Chrome"}}', "=day", "=from"),
        ("date,id\n2026-09-01,1\n2026-09-01,1\n", "event_at=date", "event_id"),
        ("date,id\n2026-09-01,1\n2026-09-01,2\n", "--map event_id=id", "id="),
        ('{"url": "/v1/usage", "data": [{"created": 1788220800}]}', "--records data", "map"),
    ],
)
def test_what_is_in_columns_says_what_they_could_be(
    world: World, text: str, there: str, absent: str
) -> None:
    path = world.folder / f"x.{'json' if text.startswith('{') else 'csv'}"
    path.write_text(text)
    (issue,) = world.run("validate", path.name, "-o", "json").json["issues"]
    assert there in issue["hint"]
    assert absent not in issue["hint"].replace(there, "")


def test_a_count_from_outside_the_records_is_doubted(world: World) -> None:
    text = '{"count": 2, "rows": [{"domain": "acme.com", "event_at": "2026-09-01", "pulls": 5}]}'
    (world.folder / "x.json").write_text(text)
    words = ["x.json", *"--records rows -a x -p y --extra ignore -o json".split()]
    (issue,) = world.run("validate", *words).json["issues"]
    assert (issue["code"], issue["severity"]) == ("outer-count", "warning")
    assert not world.run("validate", *words, "--map", "count=pulls").json["issues"]


@pytest.mark.timeout(20)
def test_different_unknown_keys_in_every_record_take_no_time() -> None:
    lines = (json.dumps({f"p{n}_{k}": k for k in range(50)}) + "\n" for n in range(3000))
    found = items("".join(lines), ReadOptions(), name="x.ndjson")
    news = [each for each in found if isinstance(each, Record) and not each.faults[0].again]
    assert (len(found), len(news)) == (3000, 20)


@pytest.mark.parametrize(
    "text",
    [
        '{"event_name":"a","event_time":1,"company_domain":"a.com","params":[{"key":"a"}]}',
        '{"domain":"a.com","date":"2026-09-01","x":[{"date":"2026-09-01","count":1}]}',
        '{"note":"a","list":[{"key":"a","value":1}]}',
    ],
)
def test_an_object_that_is_an_event_is_no_envelope(text: str) -> None:
    assert told(text, ReadOptions(), name="x.json") == [(1, "unknown-key")]


def test_a_mapped_field_is_read_from_its_key_only() -> None:
    options = ReadOptions(mapped={"domain": "Company"}, command=None)
    first, second = items('{"Company": "right.com"}\n{"domain": "wrong.com"}', options)
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert (first.fields, second.fields) == ({"domain": "right.com"}, {})
    assert second.faults[0].code == "left-over-key"


@pytest.mark.parametrize("first", ["Total", "Grand Total", "total:", "Gesamt"])
def test_a_row_of_totals_is_doubted(first: str) -> None:
    found = items(f"domain,count\na.com,1\n,5\n{first},12\n")
    *others, doubt = [each.doubt for each in found if isinstance(each, Record)]
    assert others == [None, None]
    assert doubt is not None
    assert doubt.options == (("--skip", f"domain={first}"),)
