"""How long an artefact of Electronics' size takes to open and to answer, without its data.

    OMP_NUM_THREADS=1 python -m benchmarks.serving_load --out serving_load.jsonl

Random arrays in the shapes of CRANE's artefact: 192,403 users, 63,001 items, 64 channels, two
modalities, a residual of a hundred neighbours for each item, 1.7 million interactions. Each number
is the median over fresh processes, which import, open and ask; the files are in the page cache.
Seconds by the clock, and of the processor: on a machine that does other things the latter count.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from crane_pyg.serving.artefact import as_arrays, write_artefact
from crane_pyg.serving.rows import Rows

USERS, ITEMS, INTERACTIONS, WIDTH = 192_403, 63_001, 1_700_000, 64
_PROBE = """
import json, time
marks = [("", time.perf_counter(), time.process_time())]
def mark(name):
    marks.append((name, time.perf_counter(), time.process_time()))
from crane_pyg.serving import Recommender
mark("import")
shop = Recommender.load({folder!r}, verify={verify})
mark("load")
shop.recommend("user 7", 20)
mark("first answer")
for user in range(100):
    shop.recommend(f"user {{user}}", 20)
mark("a hundred answers")
shop.recommend_for_history([f"item {{number}}" for number in range(10)], 20)
mark("a new user")
print(json.dumps({{
    f"{{name}}, {{what}}": now[place] - before[place]
    for before, (name, *_), now in zip(marks, marks[1:], marks[1:])
    for place, what in ((1, "clock"), (2, "processor"))
}}))
"""


def write(folder: Path) -> float:
    """Write the artefact; returns its size in megabytes."""
    draw = np.random.default_rng(0)

    def table(*shape: int) -> Any:
        return draw.standard_normal(shape, dtype=np.float32)

    def edges(row_count: int, per_row: int, value: bool) -> Rows:
        count = row_count * per_row
        start = np.arange(row_count + 1, dtype=np.int64) * per_row
        index = draw.integers(0, ITEMS, count, dtype=np.int32)
        return Rows(start, index, table(count) if value else None)

    user = np.sort(draw.integers(0, USERS, INTERACTIONS))
    seen = Rows.of(user, draw.integers(0, ITEMS, INTERACTIONS), USERS)
    graph = edges(ITEMS, 5, False)
    looks = {}
    for number in range(2):
        looks |= {
            f"look_{number}": table(ITEMS, WIDTH),
            f"look_{number}_mean": table(4096),
            f"look_{number}_basis": table(4096, WIDTH),
        }
    arrays = as_arrays(
        {
            "user_ids": (f"user {number}" for number in range(USERS)),
            "item_ids": (f"item {number}" for number in range(ITEMS)),
            "titles": (f"A thing of some length, number {number}" for number in range(ITEMS)),
        },
        {
            "seen": seen,
            "linear": edges(ITEMS, 100, True),
            "graph": Rows(graph.start, graph.index, table(len(graph.index), 3)),
        },
        user=table(USERS, WIDTH),
        item=table(ITEMS, WIDTH),
        user_norm=np.ones(USERS, np.float32),
        item_norm=np.ones(ITEMS, np.float32),
        fold_in_0=table(ITEMS, WIDTH),
        fold_in_constant=np.zeros(WIDTH, np.float32),
        fold_in_compared=np.arange(0, ITEMS, -(-ITEMS // 4096), dtype=np.int32),
        trained=np.diff(seen.start).astype(np.int32),
        taken=np.ones(ITEMS, np.int32),
        graph_source=table(1, ITEMS, WIDTH),
        **looks,
        # What the attention of an added item meets: all users and items, in both modalities.
        attention_round_0=table(USERS + ITEMS, 2 * WIDTH),
    )
    about = {
        "similarity": "cosine",
        "blocks": 1,
        "share": 0.2,
        "half_share_at": 8.0,
        "fold_in": {
            "kind": "closed",
            "terms": [{"shift": 0, "power": 0.5}],
            "fit": {"temperature": 0.2, "rate": 3.0, "steps": 4, "of_known_users": False},
        },
        "modalities": {"image": 0, "text": 1},
        "graph": {"modalities": ["image", "text"], "fold_in_power": 0.5},
        "neighbours": {"kind": "looks"},
    }
    write_artefact(folder, about, arrays, "# Random")
    return sum(path.stat().st_size for path in folder.iterdir()) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        megabytes = write(Path(folder))
        lines = []
        for verify in (True, False):
            code = _PROBE.format(folder=folder, verify=verify)
            runs = [
                json.loads(subprocess.check_output([sys.executable, "-c", code]))
                for _ in range(args.repeats)
            ]
            seconds = {
                name: round(statistics.median(run[name] for run in runs), 4) for name in runs[0]
            }
            lines.append({"verify": verify, "megabytes": round(megabytes), "seconds": seconds})
            print(json.dumps(lines[-1]))
    args.out.write_text("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    main()
