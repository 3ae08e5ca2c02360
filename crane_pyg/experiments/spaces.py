"""Values of settings to search: those that a model's authors, or MMRec, searched."""

from typing import Any

_DECADES = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6]
_NORMS = [2.0, 1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5]

# "MMRec" is the grid that https://github.com/enoche/MMRec publishes for the model.
SEARCH_SPACES: dict[str, dict[str, list[Any]]] = {
    "bpr": {"l2": _NORMS},  # MMRec
    "vbpr": {"l2": _NORMS},  # MMRec
    "lightgcn": {"num_layers": [1, 2, 3, 4], "l2": _DECADES},  # MMRec
    # MMRec, which searches the weight of norms that do not learn too.
    "mmgcn": {"lr": [1e-4, 5e-4, 1e-3, 5e-3, 1e-2]},
    # MMRec, which searches a weight too that its loss does not use.
    "slmrec": {
        "lr": [1e-4, 1e-3, 1e-2, 1e-1],
        "ssl_weight": [0.01, 0.05, 0.1, 0.5, 1.0],
        "ssl_temperature": [0.1, 0.2, 0.5, 1.0],
    },
    "lattice": {"l2": [0.0, 1e-5, 1e-4, 1e-3], "lr": [1e-4, 5e-4, 1e-3, 5e-3]},  # MMRec
    "freedom": {"drop_ratio": [0.8, 0.9], "feature_weight": [0.0, 1e-5, 1e-4, 1e-3]},  # MMRec
    "bm3": {"num_layers": [1, 2], "l2": [0.1, 0.01], "dropout": [0.3, 0.5]},  # MMRec
    "mgcn": {"beta": [0.001, 0.01, 0.1]},  # MMRec
    # MMRec; the authors' table has a beta of 0.03 besides, for Sports.
    "smore": {
        "num_layers": [3, 4],
        "visual_k": [10, 15, 20, 40],
        "k": [10, 15, 20, 40],
        "l2": [1e-5, 1e-4],
        "dropout": [0.0, 0.1],
    },
    # The values that the authors' configuration gives for one data set or another.
    "lgmrec": {
        "hyper_layers": [1, 2],
        "num_hyperedges": [4, 64],
        "dropout": [0.5, 0.6, 0.8],
        "alpha": [0.2, 0.3, 0.6],
    },
    # Defaults of https://github.com/enoche/DGVAE and what its run-baby.sh has instead.
    "dgvae": {"num_factors": [3, 4], "mutual": [0.2, 0.4]},
    # The paper's figure has its optima between 200 and 1000; small sets want less.
    "ease": {"l2": [10.0, 30.0, 100.0, 200.0, 300.0, 500.0, 1000.0, 2000.0]},
    # Few regressors need less shrinkage, and are themselves a regulariser.
    "ease-local": {
        "l2": [10.0, 30.0, 100.0, 200.0, 500.0, 1000.0],
        "num_neighbors": [20, 50, 100, 200],
    },
    # The ranges that https://arxiv.org/abs/1907.06902 gives its neighbourhood methods, in steps.
    "itemknn": {
        "weighting": ["cosine", "bm25"],
        "k": [5, 10, 20, 50, 100, 200, 500],
        "shrinkage": [0.0, 10.0, 30.0, 100.0, 300.0],
    },
    # The search that the paper's section 4 recommends, and the regulariser's exponent.
    "ials": {
        "alpha0": [0.003, 0.01, 0.03, 0.1, 0.3, 1.0],
        "l2": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3],
        "nu": [0.5, 1.0],
        "embedding_dim": [32, 64, 128, 256],
    },
    # Sections 4.3.2 and 4.7 of the paper, and the defaults, which stand outside of its ranges.
    "crane": {
        "k": [5, 10, 15, 20],
        "num_rounds": [1, 2, 3, 4],
        "num_layers": [1, 2, 3],
        "l2": [1e-2, 1e-3, 1e-4, 1e-5],
        "beta": [0.0, 0.001, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
        "temperature": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
        "lr": [1e-3, 5e-4, 1e-4, 5e-5],
    },
}
