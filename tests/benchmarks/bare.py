"""The script that people would write: threads, a prepared request, one requests session each.

    python -m tests.benchmarks.bare URL TABLE THREADS

It posts each row of a CSV file as an event, without checks, ids or a ledger, and prints how many
events a second got a success, from the first request to the last answer.
"""

import csv
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

import requests

HEADERS = {"X-API-KEY": "benchmark-key-1234", "Content-Type": "application/json"}


def bodies(path: str) -> "SimpleQueue[bytes]":
    """Give the request bodies of a table."""
    queue: SimpleQueue[bytes] = SimpleQueue()
    for number, row in enumerate(csv.DictReader(Path(path).read_text().splitlines())):
        whole = {"count": int(row["count"]), "event_at": int(row["event_at"])}
        payload = {"mode": "DOMAIN", "source": "TELEMETRY", "event_id": f"{number:032x}"}
        queue.put(json.dumps({"payload": {**payload, **row, **whole}}).encode())
    return queue


def work(url: str, queue: "SimpleQueue[bytes]") -> None:
    """Post until nothing is left."""
    session = requests.Session()
    request = session.prepare_request(requests.Request("POST", url, headers=HEADERS))
    while True:
        try:
            request.body = queue.get_nowait()
        except Empty:
            return
        request.headers["Content-Length"] = str(len(request.body))
        assert session.send(request, timeout=10).json()["status"] == "success"


if __name__ == "__main__":
    url, path, number = sys.argv[1:]
    queue = bodies(path)
    events = queue.qsize()
    began = time.perf_counter()
    with ThreadPoolExecutor(int(number)) as pool:
        done = [pool.submit(work, url, queue) for _ in range(int(number))]
    assert not [each for each in done if each.exception()]
    print(events / (time.perf_counter() - began))
