"""Table 2: statistics of the data."""

import pandas as pd

from benchmarks.paper.job import Job
from crane_pyg.datasets import modalities
from crane_pyg.experiments import markdown_table


def run(job: Job) -> None:
    report = job.dataset.report
    pairs = report.num_interactions
    widths = modalities(job.data)
    row = {
        "data": job.dataset.name,
        "users": report.num_users,
        "items": report.num_items,
        "interactions": pairs,
        "sparsity": 1 - pairs / (report.num_users * report.num_items),
        "interactions per user": pairs / report.num_users,
        "train": report.num_train,
        "val": report.num_val,
        "test": report.num_test,
        "modalities": " ".join(f"{name}:{width}" for name, width in widths.items()),
    }
    text = {name: f"{value:,}" if isinstance(value, int) else value for name, value in row.items()}
    text["sparsity"] = f"{row['sparsity']:.2%}"
    text["interactions per user"] = f"{row['interactions per user']:.2f}"
    text["modalities"] = ", ".join(f"{name} ({width})" for name, width in widths.items()) or "none"
    table = markdown_table(pd.DataFrame([text]))
    job.write(
        f"Statistics of the data, distinct pairs counted once.\n\n{table}", pd.DataFrame([row])
    )
