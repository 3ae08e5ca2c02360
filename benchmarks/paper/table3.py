"""Table 3: the presets, beside the default and what these commands run CRANE with."""

import pandas as pd

from benchmarks.paper.job import Job
from crane_pyg.experiments import complete_settings, markdown_table
from crane_pyg.experiments.settings import settings_with_defaults

ROWS = {
    "num_layers": "L_UI",
    "num_item_layers": "L_II",
    "num_rounds": "R",
    "k": "k",
    "lr": "learning rate",
    "l2": "L2 weight",
    "temperature": "temperature",
    "beta": "contrastive weight",
    "embedding_dim": "embedding size",
    "batch_size": "batch size",
    "epochs": "epochs",
    "patience": "patience",
}
PRESETS = ("baby", "sports", "clothing", "electronics")


def run(job: Job) -> None:
    columns = {name: complete_settings("crane", preset=name) for name in PRESETS}
    columns |= {"default": complete_settings("crane"), "here": job.settings("crane")}
    full = {name: settings_with_defaults("crane", own) for name, own in columns.items()}
    table = pd.DataFrame(
        {"setting": ROWS.values()}
        | {name: [own[row] for row in ROWS] for name, own in full.items()},
        dtype=object,
    )
    unlike = sorted(
        name for name, value in full["here"].items() if value != full["default"].get(name)
    )
    text = (
        f"CRANE.preset(NAME) by name, the library's default, and what `here`, on "
        f"{job.dataset.name}, the other commands start from"
        f" (not the default: {', '.join(unlike) or 'nothing'}).\n\n{markdown_table(table)}"
    )
    job.write(text, table)
