import subprocess
import sys

import pytest

HEAVY = {"rich", "requests", "typer", "json", "datetime", "logging", "textwrap", "shlex"}


def loaded(script: str) -> set[str]:
    code = f"import sys\nbefore = set(sys.modules)\n{script}\nprint(*set(sys.modules) - before)"
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(answer.stdout.splitlines()[-1].split())


def test_the_package_itself_loads_nothing_but_the_streams() -> None:
    new = loaded("import reo_cli.reports")
    assert not new & HEAVY
    assert {name.rpartition(".")[2] for name in new if name.startswith("reo_cli.reports.")} == {
        *("report", "streams", "talk")
    }


@pytest.mark.parametrize("result", ["delivered", "summary", "validation"])
def test_only_tables_load_rich(result: str) -> None:
    new = loaded(
        "import tests.reports.samples as s\n"
        f"for form in 'text', 'json', 'ndjson', 'github': s.piped(s.report(s.{result}(), form))"
    )
    assert not {name.partition(".")[0] for name in new} & {"rich", "requests", "typer"}
