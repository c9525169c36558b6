"""Exports that people have, through the real command: what messages say leads to valid events."""

import json
import shlex
from typing import Any

import pytest

from tests.conftest import World
from tests.readers.reading import as_in_a_shell

BLANKS = {
    "ACTIVITY_TYPE": "downloads",
    "PRODUCT_ID": "cli",
    "COUNT_COLUMN": "count",
    "TIME_COLUMN": "signup_date",
    "NAME1,NAME2,NAME3": "domain,count,event_at",
    "DATE_FORMAT": "day-first",
}
"""What people put in where a command leaves a blank."""


def led_to(world: World, text: str, looks: int, command: str) -> list[dict[str, Any]]:
    """Follow what is said of a file, so many times, until it is valid: what is then sent."""
    is_json, is_legacy = text.lstrip("\ufeff")[0] in "{[", "ü" in text
    name = "x.json" if is_json else "x.csv"
    (world.folder / name).write_text(text, "cp1252" if is_legacy else "utf-8")
    words = [*command.split(), name]
    for _ in range(looks):
        run = world.run(*words, "-o", "json")
        assert run.code == 65
        said = run.stderr or run.json["issues"][0]["hint"]  # of values it is said at the end
        said = said.rpartition("try: reo ")[2].replace(" -o json", "")
        for blank, value in BLANKS.items():
            said = said.replace(blank, value)
        words = as_in_a_shell(said)
        assert "event_at=now" not in words  # where records have a time
    run = world.run("send-file", "--dry-run", "-o", "ndjson", *words[1:])
    assert run.code == 0, run.stderr
    return [each["payload"] for each in run.lines if "payload" in each]


EXPORTS = {
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
    "mailboxes": "mail,event_at,count\nann@acme.com,2026-09-01,3\nb@gmail.com,2026-09-01,3\n",
    "legacy": "domain;event_at;count;meta.x\nacme.com;01.09.2026;3;ü\nb.de;13.09.2026;7;\n",
    "total": "domain,event_at,count\nacme.com,2026-09-01,3\nTotal,,3\n",
    "nulls": "Domain,Day,Hits\nacme.com,2026-09-01,3\nNULL,2026-09-01,4\n",
    "no_company": "domain,event_at,count\nacme.com,2026-09-01,3\n,2026-09-01,9\n",
    "no_time": "domain,event_at,count\nacme.com,2026-09-01,3\nb.com,,9\n",
    "several": "domain,event_at,count,environment\nacme.com,2026-09-01,3,NULL\n,2026-09-01,3,\n"
    "Grand Total,,3,\n",
    "elastic": '{"took":3,"hits":{"total":{"value":1},"hits":[{"_id":"a","_source":'
    '{"@timestamp":"2026-09-01T00:00:00Z","domain":"acme.com","count":3}}]}}',
    "joined": '\ufeff{"count":3,"domain":"acme.com","day":"2026-09-01"}\n',
    "twice": "count,Count,domain,event_at\n3,9,acme.com,2026-09-01\n",
    "many": "domain,a,b,c,d,e,count,event_at\nacme.com,1,2,3,4,5,3,2026-09-01\n",
    "strange": 'domain,"it\'s ""x""","Tab\there",count,\u200bevent_at,N\u00a0B, Country \n'
    "acme.com,1,2,3,2026-09-01,4,5\n",
}
SECOND_LOOK = (
    "title no_header envelope views mailboxes total nulls no_company no_time several elastic"
)
"""What is behind cannot be seen at first."""


@pytest.mark.parametrize("name", EXPORTS)
def test_the_messages_lead_to_the_event(world: World, name: str) -> None:
    payload, *_ = led_to(world, EXPORTS[name], 1 + (name in SECOND_LOOK.split()), "validate")
    found = {name: payload[name] for name in ("domain", "count", "event_at")}
    assert found == {"domain": "acme.com", "count": 3, "event_at": 1788220800}


@pytest.mark.parametrize(
    ("words", "columns", "row"),
    [
        ("--map count=Hits", "count,Hits,domain,event_at", "9,3,acme.com,2026-09-01"),
        ("--map domain=Compny", "Company,count,event_at", "acme.com,3,2026-09-01"),
        ("--map count=xyz", "Downloads,Note,domain,event_at", "3,x,acme.com,2026-09-01"),
        (
            *("--map count=Cnt --map event_at=Wann", "domain,Company Domain,Count,When"),
            "acme.com,b.com,3,2026-09-01",
        ),
        ("-a a -p p", "domain,count,event_at,Firma", "acme.com,3,2026-09-01,x"),
    ],
)
def test_a_command_whose_names_are_wrong_is_mended(
    world: World, words: str, columns: str, row: str
) -> None:
    (payload,) = led_to(world, f"{columns}\n{row}\n", 1, f"validate {words}")
    found = {name: payload[name] for name in ("domain", "count", "event_at")}
    assert found == {"domain": "acme.com", "count": 3, "event_at": 1788220800}


@pytest.mark.parametrize(
    ("columns", "rows", "values"),
    [
        ("event_at", "1788256800123\n1788256801000", [1788256800, 1788256801]),
        ("event_at", "1788256800123456", [1788256800]),
        ("event_at", "1788256800123456789", [1788256800]),
        ("event_at", "2026090110", [1788256800]),
        ("event_at", "2026-08", [1785542400]),
        ("event_at", "03/09/2026\n31/08/2026", [1788393600, 1788134400]),
        ("event_at", "03/09/2026\n08/31/2026", [1773014400, 1788134400]),
        ("event_at", "03/09/2026", [1788393600]),
        ("event_at,count", '2026-09-01,"1,234"', [1234]),
        ("event_at,count", "2026-09-01,1.234", [1234]),
        ("event_at,count", "2026-09-01,1 234 567", [1234567]),
        ("event_at,domain", "2026-09-01,ann@a.com", ["a.com"]),
        ("event_at,domain", "2026-09-01,https://www.a.com/x", ["a.com"]),
        ("event_at,domain,ip_addr", "2026-09-01,N/A,8.8.8.8", ["8.8.8.8"]),
        ("event_at,domain,count", '31/08/2026,ann@a.com,"1,234"', [1234]),
    ],
)
def test_values_are_read_by_the_one_command_that_is_proposed(
    world: World, columns: str, rows: str, values: list[Any]
) -> None:
    if "domain" not in columns:
        columns, rows = f"domain,{columns}", "\n".join(f"a.com,{row}" for row in rows.split("\n"))
    command = "send-file --dry-run -a login -p app --default count=1"
    sent = led_to(world, f"{columns}\n{rows}\n", 1, command)
    assert [each[columns.rpartition(",")[2]] for each in sent] == values


def test_a_day_above_twelve_anywhere_settles_the_order_for_people(world: World) -> None:
    rows = "".join(f"a.com,{day:02}/09/2026\n" for day in range(1, 14))
    (world.folder / "x.csv").write_text(f"domain,event_at\n{rows}")
    run = world.run("validate", "x.csv", *"-a a -p p --default count=1 -o table".split())
    assert run.stdout.count("error: event_at") == 1
    assert "hint: add --date-format day-first\n" in run.stdout
    assert "DATE_FORMAT" not in run.stdout + run.stderr


@pytest.mark.parametrize(
    "rows",
    [
        "a.com,,3\n,8.8.8.8,3\n,,3\n",  # --skip domain= would lose the record with an address
        "a.com,,3\n,,3\n,8.8.8.8,3\n",
        'a.com,,"1,250"\nb.com,,1.250\n',
    ],
)
def test_a_command_that_would_not_do_is_not_proposed(world: World, rows: str) -> None:
    (world.folder / "x.csv").write_text(f"domain,ip_addr,count\n{rows}")
    words = "validate x.csv -a a -p p --default event_at=now --thousands ,"
    run = world.run(*words.split())
    assert (run.code, run.stderr) == (65, "")


def test_a_command_for_one_of_several_files_says_so(world: World) -> None:
    for name, count in (("a.csv", "3"), ("b.csv", "'1,250'"), ("c.csv", "'1,250'")):
        row = f"a.com,{count}\n".replace("'", '"')
        (world.folder / name).write_text(f"domain,count\n{row}")
    rest = "-a a -p p --default event_at=now".split()
    run = world.run("validate", "a.csv", "b.csv", *rest)
    command = "validate b.csv -a a -p p --default event_at=now --thousands ,"
    assert run.stderr == f"hint: for this input alone, try: reo {command}\n"
    run = world.run("validate", "b.csv", "c.csv", *rest)
    assert run.stderr == f"hint: try: reo {command.replace('b.csv', 'b.csv c.csv')}\n"


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
    command = issue["hint"].partition("try: reo ")[2].replace("PRODUCT_ID", "cli")
    run = world.run(*shlex.split(command.replace("--map count=COUNT_COLUMN", "--default count=1")))
    assert (run.code, run.json["valid"]) == (0, 2000)


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
