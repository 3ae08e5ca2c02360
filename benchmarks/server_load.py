"""Requests per second and their latency, over loopback, at the size of Amazon Electronics.

    python -m benchmarks.server_load --out benchmarks/results/server_load

Vectors are drawn: 192,403 users, 63,001 items, 64 numbers each, with Electronics' interactions per
user, in 200 kinds, as an index needs them to find anything. A server is started as ``crane_pyg
serve`` starts it, in a process of its own; this process asks it over some connections, each one
request at a time, and both share the machine's cores. One connection shows what a request costs
without others. Before every row some requests go by that are not measured. At the end it is asked
``--requests`` times, and its memory is noted on the way. Then the same of a server that searches by
an index of faiss, where that is installed.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import numpy as np

from crane_pyg.export.item_index import add_index
from crane_pyg.files import write_text
from crane_pyg.serving.artefact import as_arrays, write_artefact
from crane_pyg.serving.rows import Rows

USERS, ITEMS, DIM, INTERACTIONS = 192_403, 63_001, 64, 1_689_188
WARM = 300
KINDS = 200
SERVE = (
    "import sys; from pathlib import Path; from crane_pyg.server import serve; "
    "serve(Path(sys.argv[1]), port=0, index=sys.argv[2])"
)


def write_model(folder: Path, rng: np.random.Generator) -> None:
    """An artefact of drawn vectors, as the export of LightGCN would write one."""
    centre = rng.standard_normal((KINDS, DIM), dtype=np.float32)
    user, item = (
        centre[rng.integers(KINDS, size=n)] + 0.5 * rng.standard_normal((n, DIM), dtype=np.float32)
        for n in (USERS, ITEMS)
    )
    pairs = np.unique(
        rng.integers(USERS, size=INTERACTIONS) * ITEMS + rng.integers(ITEMS, size=INTERACTIONS)
    )
    who, what = pairs // ITEMS, pairs % ITEMS
    texts = {
        "user_ids": [f"A{n:013}" for n in range(USERS)],
        "item_ids": [f"B{n:09}" for n in range(ITEMS)],
        "titles": [f"Thing of the electronic kind, number {n}" for n in range(ITEMS)],
    }
    arrays = as_arrays(
        texts,
        {"seen": Rows.of(who, what, USERS)},
        trained=np.bincount(who, minlength=USERS).astype(np.int32),
        taken=np.bincount(what, minlength=ITEMS).astype(np.int32),
        user=user,
        item=item,
        fold_in_0=item,
        fold_in_constant=np.zeros(DIM, dtype=np.float32),
        fold_in_compared=np.sort(rng.permutation(ITEMS)[:4096]).astype(np.int32),
    )
    note = {
        "model": "drawn",
        "similarity": "inner",
        "blocks": 1,
        "share": 0.0,
        "half_share_at": 0.0,
        "fold_in": {
            "kind": "closed",
            "terms": [{"shift": 0, "power": 0.5}],
            "fit": {"temperature": 1.0, "rate": 3.0, "steps": 4, "of_known_users": False},
        },
        "modalities": {},
        "graph": None,
        "neighbours": {"kind": "looks"},
    }
    write_artefact(folder, note, arrays, "Drawn.")


def requests_of(kind: str, rng: np.random.Generator) -> list[bytes]:
    """A thousand requests as they go over the wire."""
    bodies = {
        "recommend": lambda: {"users": [f"A{rng.integers(USERS):013}"], "k": 20},
        "history": lambda: {"items": [f"B{n:09}" for n in rng.integers(ITEMS, size=5)], "k": 20},
        "similar": lambda: {"items": [f"B{rng.integers(ITEMS):09}"], "k": 20},
    }
    if kind == "health":
        return [b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"]
    found = []
    for _ in range(1000):
        body = json.dumps(bodies[kind]()).encode()
        head = (
            f"POST /{kind} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


class Load:
    """Asks over some connections, each one request at a time, and keeps the seconds of each."""

    def __init__(self, port: int, requests: list[bytes]) -> None:
        self.port, self.requests = port, requests
        self.seconds: list[float] = []
        self.refused = 0

    async def run(self, connections: int, until: float, most: int | None = None) -> None:
        """Ask until a time, or so many requests."""
        tasks = (self._ask(n, connections, until, most) for n in range(connections))
        await asyncio.gather(*tasks)

    async def _ask(self, number: int, step: int, until: float, most: int | None) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        place = number
        while time.perf_counter() < until and (most is None or len(self.seconds) < most):
            start = time.perf_counter()
            writer.write(self.requests[place % len(self.requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            self.seconds.append(time.perf_counter() - start)
            self.refused += not head.startswith(b"HTTP/1.1 200")
            place += step
        writer.close()
        await writer.wait_closed()


def measure(port: int, kind: str, connections: int, seconds: float) -> dict:
    """One row of the table."""
    requests = requests_of(kind, np.random.default_rng(1))
    asyncio.run(Load(port, requests).run(connections, time.perf_counter() + 20, WARM))
    load, start = Load(port, requests), time.perf_counter()
    asyncio.run(load.run(connections, start + seconds))
    took = time.perf_counter() - start
    p50, p99 = (1000 * float(np.quantile(load.seconds, q)) for q in (0.5, 0.99))
    return {
        "request": kind,
        "connections": connections,
        "per_second": round(len(load.seconds) / took, 1),
        "p50_ms": round(p50, 1),
        "p99_ms": round(p99, 1),
        "refused": load.refused,
    }


def memory_of(pid: int) -> dict[str, float]:
    """MB that a process holds: of its own, and of the artefact's mapped files."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {
        name: round(int(found[key].split()[0]) / 1024, 1)
        for name, key in (("own", "RssAnon"), ("mapped", "RssFile"))
    }


def measure_memory(port: int, pid: int, total: int, connections: int, limit: float) -> list[dict]:
    """The server's memory after each tenth of the requests, within so many seconds in all."""
    requests = requests_of("history", np.random.default_rng(2))
    rows, end = [{"requests": 0, **memory_of(pid)}], time.perf_counter() + limit
    for part in range(1, 11):
        load = Load(port, requests)
        asyncio.run(load.run(connections, end, total // 10))
        if time.perf_counter() > end:
            break
        assert load.refused == 0
        rows.append({"requests": part * total // 10, **memory_of(pid)})
    return rows


def processor() -> str:
    """What the machine says that it is."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))


def batch_size(port: int) -> float:
    """How many requests a product answered, in the mean over all so far."""
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    value = dict(line.rsplit(" ", 1) for line in lines if line.startswith("crane_batch_size_"))
    return float(value["crane_batch_size_sum"]) / float(value["crane_batch_size_count"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="for each row")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--requests", type=int, default=100_000, help="while memory is noted")
    parser.add_argument("--limit", type=float, default=400, help="seconds for those at most")
    parser.add_argument("--out", type=Path, help="writes OUT.md and OUT.jsonl")
    args = parser.parse_args()
    rows, memory, told = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), np.random.default_rng(0))
        indexes = ["exact"]
        if find_spec("faiss") is not None:
            made = add_index(folder)
            told.append(
                f"Index: {made.probes} of {made.cells} cells find {made.recall:.1%} of exact lists."
            )
            indexes.append("faiss")
        for index in indexes:
            measured, noted, size = measure_server(Path(folder), index, args)
            rows += measured
            memory += noted
            told.append(f"Requests answered with one product, {index}: {size:.1f} in the mean.")
    report(rows, memory, told, args.out)


def measure_server(
    folder: Path, index: str, args: argparse.Namespace
) -> tuple[list[dict], list[dict], float]:
    """The rows of one server, its memory, and how many requests a product answered."""
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(folder), index], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            server.stdout.readline()
            port = int(server.stdout.readline().rstrip("/\n").rpartition(":")[2])
            print(f"{index}: started in {time.perf_counter() - start:.1f} s", flush=True)
            rows = [
                {"index": index, **measure(port, kind, connections, args.seconds)}
                for kind in ("health", "recommend", "history", "similar")
                for connections in (1, args.connections)
            ]
            memory = measure_memory(port, server.pid, args.requests, args.connections, args.limit)
            return rows, [{"index": index, **row} for row in memory], batch_size(port)
        finally:
            server.terminate()


def report(rows: list[dict], memory: list[dict], told: list[str], out: Path | None) -> None:
    """Print the table, and write it."""
    head = "| search | request | connections | per second | p50 ms | p99 ms | refused |"
    lines = [head, "|---|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join(str(value) for value in row.values()) + " |" for row in rows]
    lines += ["", *told, ""]
    lines += ["| search | requests so far | memory of its own, MB | mapped, MB |"]
    lines += ["|---|---|---|---|"]
    lines += ["| " + " | ".join(str(value) for value in row.values()) + " |" for row in memory]
    text = "\n".join(lines)
    print(text)
    here = {"machine": processor(), "cores": os.cpu_count()}
    entries = [{**row, **here} for row in rows] + [{"memory": memory, **here}]
    print(json.dumps({"rows": rows, "memory": memory}))
    if out is not None:
        command = f"python -m benchmarks.server_load --out {out}"
        title = f"# The server under load\n\n`{command}`; {processor()}, {os.cpu_count()} cores\n\n"
        write_text(out.with_suffix(".md"), title + text + "\n")
        write_text(
            out.with_suffix(".jsonl"), "".join(json.dumps(entry) + "\n" for entry in entries)
        )


if __name__ == "__main__":
    main()
