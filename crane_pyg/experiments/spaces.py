"""Values of settings to search for every model, its defaults first.

Those that a model's authors searched or published, or that the common toolbox does, fewer where
there are many: a quarter of an hour on two cores is some twenty trials of a small set. What a model
may rank by, and how fast it learns, is searched for all that let one choose.
"""

from typing import Any

from crane_pyg.experiments.combinations import Space, combinations

SOFTMAX_START = {"ranking": "softmax", "lr": 3e-3, "l2": 0.0}  # as README has it

_NORMS = [1e-1, 0.0, 2.0, 1.0, 1e-2, 1e-3, 1e-4, 1e-5]
_DECADES = [1e-4, 0.0, 1e-2, 1e-3, 1e-5, 1e-6]
_LR = [1e-3, 3e-3, 5e-4]
_RANKING: dict[str, list[Any]] = {
    "ranking": ["bpr", "softmax"],
    "ranking_temperature": [None, 0.1, 0.3],
}

# "MMRec" is the grid that https://github.com/enoche/MMRec publishes for the model; learning rates
# that it does not search are ours.
SEARCH_SPACES: dict[str, dict[str, list[Any]]] = {
    "bpr": _RANKING | {"lr": _LR, "l2": _NORMS},  # MMRec
    "vbpr": _RANKING | {"lr": _LR, "l2": _NORMS},  # MMRec
    "lightgcn": _RANKING | {"lr": _LR, "l2": _DECADES, "num_layers": [2, 1, 3, 4]},  # MMRec
    # MMRec, which searches the weight of norms that do not learn too.
    "mmgcn": _RANKING | {"lr": [1e-3, 1e-4, 5e-4, 5e-3, 1e-2]},
    # MMRec, which searches a weight too that its loss does not use.
    "slmrec": {
        "lr": [1e-3, 1e-4, 1e-2, 1e-1],
        "ssl_weight": [0.1, 0.01, 0.05, 0.5, 1.0],
        "ssl_temperature": [0.2, 0.1, 0.5, 1.0],
    },
    # MMRec, and softmax's rate.
    "lattice": _RANKING | {"lr": [1e-3, 3e-3, 1e-4, 5e-4, 5e-3], "l2": [1e-5, 0.0, 1e-4, 1e-3]},
    # MMRec
    "freedom": _RANKING
    | {
        "lr": _LR,
        "drop_ratio": [0.8, 0.9],
        "feature_weight": [1e-3, 0.0, 1e-5, 1e-4],
    },
    "bm3": {"num_layers": [1, 2], "l2": [0.1, 0.01], "dropout": [0.5, 0.3]},  # MMRec
    "mgcn": _RANKING | {"lr": _LR, "beta": [0.01, 0.001, 0.1]},  # MMRec
    # MMRec, but for how many images are neighbours, which it searches by itself; the authors' table
    # has a beta of 0.03 besides, for Sports.
    "smore": _RANKING
    | {
        "lr": _LR,
        "num_layers": [3, 4],
        "k": [10, 15, 20, 40],
        "l2": [1e-4, 1e-5],
        "dropout": [0.0, 0.1],
    },
    # The values that the authors' configuration gives for one data set or another.
    "lgmrec": _RANKING
    | {
        "lr": _LR,
        "hyper_layers": [1, 2],
        "num_hyperedges": [4, 64],
        "dropout": [0.5, 0.6, 0.8],
        "alpha": [0.3, 0.2, 0.6],
    },
    # The paper's figure has its optima between 200 and 1000; small sets want less.
    "ease": {
        "l2": [300.0, 10.0, 30.0, 100.0, 200.0, 500.0, 1000.0, 2000.0],
        "dropout": [0.0, 0.5],
    },
    # Few regressors need less shrinkage, and are themselves a regulariser.
    "ease-local": {
        "l2": [50.0, 10.0, 200.0, 500.0],
        "num_neighbors": [100, 50, 200],
        "dropout": [0.5, 0.0],
        "damping": [0.0, 0.25],
        "power": [1.0, 1.5],
    },
    # The ranges that https://arxiv.org/abs/1907.06902 gives its neighbourhood methods, in steps.
    "itemknn": {
        "weighting": ["cosine", "bm25"],
        "k": [50, 5, 10, 20, 100, 200, 500],
        "shrinkage": [10.0, 0.0, 30.0, 100.0, 300.0],
    },
    # The search that the paper's section 4 recommends, and the regulariser's exponent.
    "ials": {
        "alpha0": [0.1, 0.003, 0.01, 0.03, 0.3, 1.0],
        "l2": [0.01, 0.001, 0.003, 0.03, 0.1, 0.3],
        "nu": [1.0, 0.5],
        "embedding_dim": [64, 32, 128, 256],
    },
    # Defaults of https://github.com/enoche/DGVAE and what its run-baby.sh has instead.
    "dgvae": {"lr": [1e-3, 3e-3], "num_factors": [4, 3], "mutual": [0.2, 0.4]},
    # No grid of the authors is at hand: LightGCN's, and the weights of the two terms beside.
    "lpic": _RANKING
    | {
        "lr": _LR,
        "l2": [1e-4, 0.0, 1e-3, 1e-5],
        "beta": [0.01, 0.0, 0.1],
        "align": [0.01, 0.0, 0.1],
    },
    # The defaults, and of Sections 4.3.2 and 4.7 of the paper the values nearest to them; large
    # steps, which suit sparse data.
    "crane": {
        "ranking": ["softmax", "bpr"],
        "ranking_similarity": ["auto", "cosine", "inner"],
        "lr": [1.2e-2, 4e-3, 1e-3],
        "l2": [0.0, 1e-3],
        "k": [10, 5],
        "drop_edge": ["auto", None, "multinomial"],
        "semantic_profile": [None, "sqrt"],
        "num_layers": [2, 1, 3],
        "num_rounds": [1, 2],
    },
    # The paper searches the highest beta; its widths, and smaller ones for smaller sets.
    "multivae": {
        "lr": [1e-3, 3e-4, 3e-3],
        "batch_size": [1024, 128, 500],
        "embedding_dim": [64, 200],
        "hidden_dim": [600, 200],
        "beta": [0.2, 0.0, 0.5, 1.0],
        "dropout": [0.5, 0.7],
    },
    # What the authors' files (https://github.com/xue-pai/UltraGCN) have for one data set or
    # another. Sets of thousands of users want larger steps, smaller batches, and more of l2.
    "ultragcn": {
        "lr": [1e-3, 1e-2, 5e-3],
        "batch_size": [1024, 256],
        "l2": [1e-4, 1e-3, 3e-4],
        "negative_weight": [300.0, 30.0, 100.0, 1000.0],
        "item_weight": [5e-4, 1.0, 2.75],
        "weigh_negatives": [True, False],
    },
    # The paper searches margins of 0 to 1, and publishes a weight of 150 with negatives of each
    # row's own; of those that rows share fewer are far off.
    "simplex": {
        "ranking": ["ccl", "softmax"],
        "ranking_margin": [0.4, 0.2, 0.6, 0.8],
        "ranking_negative_weight": [10.0, 1.0, 3.0, 30.0, 150.0],
        "ranking_temperature": [None, 0.1, 0.3],
        "lr": [1e-3, 3e-3, 1e-4],
        "user_weight": [0.5, 0.0, 0.25, 0.75, 1.0],
    },
}


def first_trials(space: Space) -> list[dict[str, Any]]:
    """What a search tries before it chooses: the first of each, and softmax's own good start.

    Args:
        space: values by setting.
    """
    first = next(combinations(space))
    if "softmax" not in space.get("ranking", ()):
        return [first]
    good = {name: value for name, value in SOFTMAX_START.items() if value in space.get(name, ())}
    fixed = dict(space) | {name: [value] for name, value in good.items()}
    second = next(combinations(fixed))
    return [first, second] if second != first else [first]
