"""The examples of `reo help library` with the engines themselves, where these are installed.

They are no development dependency (PySpark alone is 450 MB): `REO_TEST_ENGINES=1 bash .ci/run`
installs PySpark and Dask, `pip install apache-airflow` the third.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from reo_cli.cli.help import FOLDER
from reo_cli.sandbox import Sandbox, SandboxOptions
from tests.conftest import CANARY

PAGE = (FOLDER / "library.md").read_text(encoding="utf-8")


def example(name: str) -> str:
    """Return the example whose first line is a comment with the name of its file."""
    found = re.search(rf"^```python\n(# {re.escape(name)}.*?)^```$", PAGE, re.M | re.S)
    assert found, name
    return found[1]


def needs(module: str, program: str = "") -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: pip install {module}")
    if program and shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: apt-get install default-jre-headless")


def run(folder: Path, name: str, script: str, *args: str, **env: str) -> Any:
    """Run a script beside the example that it uses; return the JSON that is its last line."""
    (folder / Path(name).name).write_text(example(name))
    (folder / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py", *args],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "PYTHONPATH": str(FOLDER.parents[1]), **env},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert CANARY not in done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", ["dags/usage_to_reo.py", "usage_to_reo.py", "usage_dask.py"])
def test_the_examples_are_python_and_use_what_there_is(name: str) -> None:
    import reo_cli

    compile(example(name), name, "exec")
    for names in re.findall(r"from reo_cli import (.*)", example(name)):
        assert all(hasattr(reo_cli, each) for each in names.split(", "))


def test_the_notebook_session_is_one() -> None:
    import doctest

    session = "".join(re.findall(r"^```pycon\n(.*?)^```$", PAGE, re.M | re.S))
    test = doctest.DocTestParser().get_doctest(session, {}, "library.md", None, 0)
    said: list[str] = []
    results = doctest.DocTestRunner().run(test, out=said.append)
    assert results.attempted > 10
    assert results.failed == 0, "".join(said)


SPARK = """
import functools, json, os, sys, time
import usage_to_reo
from pyspark import TaskContext
from pyspark.sql import SparkSession
from reo_cli import Settings

ROWS, URL, KEY = int(sys.argv[1]), sys.argv[2], sys.argv[3]
real = usage_to_reo.send

def send(rows, settings):
    context = TaskContext.get()
    if context.partitionId() == 1 and context.attemptNumber() == 0:
        rows = dying(rows)  # the executor's process is killed in the middle of its partition
    real(rows, settings)

def dying(rows):
    for number, row in enumerate(rows):
        if number == ROWS // 4 - 10:  # of some 100
            open("killed", "a").write("once\\n")
            os.kill(os.getpid(), 9)
        yield row

spark = SparkSession.builder.master("local[4,3]").config("spark.ui.enabled", False).getOrCreate()
spark.sparkContext.setLogLevel("OFF")
frame = spark.range(ROWS).selectExpr(
    "concat('company', id, '.com') as domain", "id + 1 as count", "date'2026-11-01' as event_at")
settings = Settings(endpoint=URL, api_key=KEY, product_id="app", activity_type="pull", rate=100.0)
began = time.monotonic()
usage_to_reo.send = send
spark.sparkContext.addPyFile("usage_to_reo.py")
parts = frame.repartition(usage_to_reo.PARTITIONS)
parts.foreachPartition(functools.partial(send, settings=settings))
print(json.dumps({"seconds": time.monotonic() - began, "partitions": usage_to_reo.PARTITIONS}))
"""


def test_spark_delivers_every_event_though_an_executor_is_killed(tmp_path: Path) -> None:
    """Four partitions share the rate, each obeys 429, and the one that died is run again."""
    needs("pyspark", "java")
    rows, rate, record = 400, 100, tmp_path / "record"
    options = SandboxOptions(record=record, rate_limit=80, api_key=CANARY)
    times: list[float] = []
    with Sandbox(options, lambda _: times.append(time.monotonic())) as server:
        given = str(rows), server.url, CANARY
        result = run(tmp_path, "usage_to_reo.py", SPARK, *given, PYSPARK_PYTHON=sys.executable)
        totals = server.totals
    assert (tmp_path / "killed").read_text() == "once\n"
    sent = [json.loads(line) for line in record.read_text().splitlines()]
    assert totals["distinct_event_ids"] == len({each["domain"] for each in sent}) == rows
    by_id = {each["event_id"]: each for each in sent}
    assert all(by_id[each["event_id"]] == each for each in sent), "an id stands for one event"
    assert 0 < totals["repeated_event_ids"] <= rows / 4, "only the partition that died, once"
    assert 0 < totals["refused"]["rate_limited"] < rows / 4
    most = max(sum(at <= each < at + 1 for each in times) for at in times)
    assert most <= rate * 1.25, "the partitions share the rate"
    print({**totals, **result, "most in a second": most})


DASK = """
import dask.bag, json, sys, usage_dask
from reo_cli import Settings
events = [{"domain": f"c{n}.com", "count": n, "event_at": "2026-11-01"} for n in range(90)]
bag = dask.bag.from_sequence(events, npartitions=3)
settings = Settings(endpoint=sys.argv[1], api_key=sys.argv[2], product_id="p", activity_type="a")
if __name__ == "__main__": print(json.dumps(usage_dask.main(bag, settings)))
"""


def test_dask_maps_it_over_partitions(tmp_path: Path) -> None:
    needs("dask")
    with Sandbox() as server:
        assert run(tmp_path, "usage_dask.py", DASK, server.url, CANARY) == 90
        assert server.totals["distinct_event_ids"] == server.totals["accepted"] == 90


AIRFLOW = """
import importlib.util, json
spec = importlib.util.spec_from_file_location("usage_to_reo", "usage_to_reo.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
dag = module.usage_to_reo()
found = {"dag": dag.dag_id, "tasks": dag.task_ids, "retries": dag.get_task("send").retries}
print(json.dumps(found))
"""


def test_airflow_imports_the_dag(tmp_path: Path) -> None:
    needs("airflow")
    found = run(tmp_path, "dags/usage_to_reo.py", AIRFLOW, AIRFLOW_HOME=str(tmp_path))
    assert found == {"dag": "usage_to_reo", "tasks": ["send"], "retries": 3}
