import subprocess
import sys

import pytest

HEAVY = ("rich", "requests", "json", "datetime", "logging", "textwrap", "shlex")


def loaded(script: str) -> set[str]:
    code = f"import sys\nbefore = set(sys.modules)\n{script}\nprint(*set(sys.modules) - before)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(answer.stdout.splitlines()[-1].split())


def test_the_package_itself_loads_nothing_but_the_streams() -> None:
    new = loaded("import reo_cli.reports")
    assert not new.intersection(HEAVY)
    assert {name for name in new if name.startswith("reo_cli.reports.")} == {
        f"reo_cli.reports.{name}" for name in ("report", "streams", "talk")
    }


@pytest.mark.parametrize("output", ["text", "json", "ndjson", "github"])
@pytest.mark.parametrize("command", ["send", "send-file", "validate"])
def test_only_tables_load_rich(command: str, output: str) -> None:
    result = {"send": "delivered", "send-file": "summary", "validate": "validation"}[command]
    module, name = command.replace("-", "_"), command.title().replace("-", "")
    new = loaded(
        "import tests.reports.samples as s\n"
        "from reo_cli.reports import *\n"
        f"from reo_cli.reports.{module} import {name}Report\n"
        "streams = Streams(None, None, {})\n"
        f"{name}Report({output!r}, streams, Talk(streams.err)).finish(s.{result}())"
    )
    assert not {name for name in new if name.split(".")[0] in ("rich", "requests", "typer")}
