"""CRANE's recipes: what differs from the defaults of its settings, and how each trains."""

from typing import Any

from crane_pyg.nn.models.recommender import Preset
from crane_pyg.nn.objectives.negatives import MAX_NEGATIVES

BPR: dict[str, Any] = {
    "k": 5,
    "refresh": "epoch",
    "ranking_max_negatives": MAX_NEGATIVES,
    "drop_edge": None,
    "semantic_profile": "sqrt",
    "ranking": "bpr",
    "l2": 1e-3,
    "spectral_start": False,
    "content_term": False,
    "fit_users": False,
    "residual": None,
    "weight_decay": 0.0,
    "impl": "auto",
}
PAPER: dict[str, Any] = BPR | {
    "warm_start": False,
    "center": False,
    "drop_edge": "bernoulli",
    "drop_degree": "full",
    "conv_weight": True,
    "act": "relu",
    "readout": "last",
    "profile": "sum",
    "semantic_profile": "sum",
    "normalize": False,
    "refresh": "step",
    "graph_lr": 1.0,
    "l2_of": "all",
    "reduction": "sum",
}
PLAIN: dict[str, Any] = {"decay_epochs": 0.0, "average_epochs": 0.0, "monitor": "Recall@20"}
FIT: dict[str, Any] = {
    "lr": 1.2e-2,
    "decay_epochs": 12.0,
    "average_epochs": 2.0,
    "patience": 8,
    "monitor": "GMean@20",
}


def _table3(
    num_rounds: int, k: int, l2: float, temperature: float, beta: float, lr: float
) -> Preset:
    """A column of Table 3; what its rows have in common is written out here."""
    model = {"num_layers": 2, "num_item_layers": 1, "embedding_dim": 64}
    model |= {"num_rounds": num_rounds, "k": k}
    loss = {"l2": l2, "temperature": temperature, "beta": beta}
    fit = {"lr": lr, "batch_size": 1024, "epochs": 250, "patience": 5}
    return Preset(PAPER | model | loss, PLAIN | fit)


PRESETS = {
    "bpr": Preset(BPR, PLAIN | {"lr": 1e-3, "patience": 20}),
    "paper": _table3(3, 15, l2=1e-3, temperature=0.6, beta=0.8, lr=1e-4),
    "baby": _table3(3, 15, l2=1e-3, temperature=0.6, beta=0.8, lr=1e-4),
    "sports": _table3(2, 15, l2=1e-3, temperature=0.5, beta=0.7, lr=5e-5),
    "clothing": _table3(3, 10, l2=1e-3, temperature=0.4, beta=0.7, lr=1e-4),
    "electronics": _table3(3, 10, l2=5e-4, temperature=0.5, beta=0.6, lr=1e-4),
}
