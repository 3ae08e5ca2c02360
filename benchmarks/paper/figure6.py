"""Figure 6: embeddings of eight users and the items they took, by t-SNE and by a number.

The picture is of one draw, so the numbers are of it and of a hundred others.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from torch import Tensor
from torch_geometric.data import HeteroData

from benchmarks.figure import COLUMN, canvas
from benchmarks.paper.job import Job, done
from crane_pyg.experiments import markdown_failures, markdown_table
from crane_pyg.ops import unit_rows
from crane_pyg.schema import USER_TO_ITEM

NUM_USERS, LEAST, MOST = 8, 3, 40  # users drawn, and training items of each
DRAWS = 100
MODELS = {"CRANE": ("crane", {}), "FREEDOM": ("freedom", {})}
# All eight of Okabe and Ito's, each with a marker of its own.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
GREY = {"color": "#AAAAAA", "markeredgecolor": "black", "markeredgewidth": 0.6}


class Draw(NamedTuple):
    """Users ``[8]``, items ``[n]`` that just one of them took, and whose each is, ``[n]``."""

    user: Tensor
    item: Tensor
    owner: Tensor


def run(job: Job) -> None:
    seed = job.args.seeds[0]
    runs = job.train(MODELS, [seed])
    models = {run["label"]: job.trained(run) for run in done(runs)}
    with torch.no_grad():
        embedded = {
            label: tuple(unit_rows(x.cpu()) for x in model(job.data.to(model_device(model))))
            for label, model in models.items()
        }
    draws = [draw_users(job.data, seed + count) for count in range(DRAWS)]
    lines = [
        {"model": label, "draw": count, **numbers(*pair, drawn)}
        for label, pair in embedded.items()
        for count, drawn in enumerate(draws)
    ]
    table = pd.DataFrame(lines)
    job.write(text(job, table, len(draws[0].item), runs), table)
    picture(embedded, draws[0], seed, job.folder / "figure.png")


def draw_users(data: HeteroData, seed: int) -> Draw:
    """Eight users of 3 to 40 training items, and the items; what two of them share is left out."""
    user, item = data[USER_TO_ITEM].edge_index
    count = torch.bincount(user, minlength=data["user"].num_nodes)
    eligible = ((count >= LEAST) & (count <= MOST)).nonzero().view(-1)
    if eligible.numel() < NUM_USERS:
        raise ValueError(
            f"{NUM_USERS} users must have {LEAST} to {MOST} training items (got {eligible.numel()})"
        )
    generator = torch.Generator().manual_seed(seed)
    chosen = eligible[torch.randperm(eligible.numel(), generator=generator)[:NUM_USERS]]
    owner, edge = (chosen.view(-1, 1) == user).nonzero().T
    once = torch.bincount(item[edge], minlength=data["item"].num_nodes)[item[edge]] == 1
    return Draw(chosen, item[edge][once], owner[once])


def numbers(user: Tensor, item: Tensor, drawn: Draw) -> dict[str, float]:
    """Of unit embeddings in all their channels, by cosine distance.

    The silhouette is that of the items, grouped by who took them; the distances are those of the
    users to their own items and to the others'.
    """
    items, owner = item[drawn.item], drawn.owner
    distance = 1 - user[drawn.user] @ items.T  # [8, n]
    own = torch.arange(NUM_USERS).view(-1, 1) == owner
    within, between = float(distance[own].mean()), float(distance[~own].mean())
    return {
        "silhouette": float(silhouette_score(items.numpy(), owner.numpy(), metric="cosine")),
        "within": within,
        "between": between,
        "ratio": within / between,
    }


def text(job: Job, table: pd.DataFrame, num_items: int, runs: list[dict]) -> str:
    lines = []
    for label, frame in table.groupby("model", sort=False):
        line = {"model": label}
        for name in ("silhouette", "within", "between", "ratio"):
            column = frame[name]
            line[f"{name}, these"] = f"{column.iloc[0]:.3f}"
            line[f"{name}, {DRAWS} draws"] = f"{column.mean():.3f} ± {column.std():.3f}"
        lines.append(line)
    parts = [
        f"{job.dataset.name}, training seed {job.args.seeds[0]}, {NUM_USERS} users and {num_items} "
        "training items of theirs, those of two users left out.",
        markdown_table(pd.DataFrame(lines)),
        "Cosine distances in all channels, mean ± standard deviation over draws of eight users. "
        "Silhouette: of the items by who took them, higher is better parted. Within, between: of a "
        "user and their own items, and the others'; their ratio is lower where users sit tighter "
        "among their own.",
    ]
    if "CRANE" in set(table["model"]) and "FREEDOM" in set(table["model"]):
        wide = table.pivot_table("silhouette", "draw", "model")
        wins = int((wide["CRANE"] > wide["FREEDOM"]).sum())
        parts.append(f"CRANE has the higher silhouette in {wins} of {DRAWS} draws.")
    if lost := markdown_failures(runs):
        parts.append("\n".join(["Failed:\n", *lost]))
    return "\n\n".join(parts)


def model_device(model: torch.nn.Module) -> torch.device:
    return next(model.parameters()).device


def picture(
    embedded: Mapping[str, tuple[Tensor, Tensor]], drawn: Draw, seed: int, path: Path
) -> None:
    with canvas(path, (COLUMN, 2.0), (1, len(embedded)), grid=False) as (figure, axes):
        for axis, (label, (user, item)) in zip(axes, embedded.items(), strict=True):
            points = torch.cat([user[drawn.user], item[drawn.item]]).double().numpy()
            tsne = TSNE(
                perplexity=min(15, (len(points) - 1) / 3), metric="cosine", random_state=seed
            )
            place = tsne.fit_transform(points)
            scatter(axis, place[:NUM_USERS], place[NUM_USERS:], drawn.owner.numpy())
            axis.set_title(label)
        handles = [
            Line2D([], [], linestyle="", marker=marker, markersize=size, **GREY)
            for marker, size in (("*", 8), ("o", 4))
        ]
        words = ["user", "item, coloured by its user"]
        figure.legend(handles, words, loc="outside upper center", ncols=2, frameon=False)


def scatter(axis: Axes, users: np.ndarray, items: np.ndarray, owner: np.ndarray) -> None:
    for index, (color, marker) in enumerate(zip(COLORS, MARKERS, strict=True)):
        own = items[owner == index]
        axis.scatter(*own.T, s=9, color=color, marker=marker, linewidths=0, alpha=0.8)
    for index, color in enumerate(COLORS):
        axis.scatter(
            *users[index], s=65, color=color, marker="*", edgecolors="black", linewidths=0.6
        )
    axis.set(xticks=[], yticks=[], xlabel="t-SNE 1", ylabel="t-SNE 2")
    axis.spines[["top", "right"]].set_visible(True)
