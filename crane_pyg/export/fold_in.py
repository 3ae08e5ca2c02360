"""How new users get vectors: as the model says, or as its own users would have got theirs."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.conv import UserProfile
from crane_pyg.nn.fold_in import FoldIn, FoldInTerm
from crane_pyg.nn.history_fit import RATE, STEPS, compared_items, temperature_of
from crane_pyg.nn.models import DGVAE, IALS, Recommender
from crane_pyg.nn.user_item import item_to_user_graph

_RIDGE = 1e-3  # of the mean square of what vectors are explained by


def fold_in_arrays(
    model: Recommender, data: HeteroData, user: Tensor, item: Tensor
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The note and the arrays that :func:`crane_pyg.serving.fold_in.read_fold_in` reads.

    Args:
        model: trained.
        data: the graph.
        user, item: its vectors, as they score.
    """
    if isinstance(model, IALS):
        gram = model.alpha0 * (item.double().T @ item.double())
        note: dict[str, Any] = {"kind": "solved", "l2": model.l2, "nu": model.nu}
        return note | {"alpha0_items": model.alpha0 * len(item)}, {"fold_in_gram": gram.numpy()}
    found = model.fold_in(data)
    kind = "fitted" if found is None else "closed"
    if found is None:
        found = fit_fold_in(data, user, item)
    constant = torch.zeros(item.size(1)) if found.constant is None else found.constant
    arrays = {f"fold_in_{i}": term.table.numpy() for i, term in enumerate(found.terms)}
    terms = [{"shift": term.shift, "power": term.power} for term in found.terms]
    note = {"kind": kind, "terms": terms}
    arrays["fold_in_constant"] = constant.numpy()
    if not isinstance(model, DGVAE):
        ranking = None if model.objective is None else model.objective.ranking
        fit = getattr(model, "history_fit", None)
        known = 0 if fit is None else int(fit.steps)
        note["fit"] = {"temperature": temperature_of(ranking), "rate": RATE}
        note["fit"] |= {"steps": known or STEPS, "of_known_users": known > 0}
        arrays["fold_in_compared"] = compared_items(len(item)).int().numpy()
    return note, arrays


@torch.no_grad()
def fit_fold_in(data: HeteroData, user: Tensor, item: Tensor) -> FoldIn:
    r"""For models whose users are no sum over their items: the affine map by which the mean of the
    items' vectors comes closest to the vectors that training gave to its users, in least squares
    with a small ridge.

    Args:
        data: the graph.
        user (Tensor): ``[M, d]``.
        item (Tensor): ``[N, d]``.
    """
    graph = item_to_user_graph(data)
    active = graph.in_degree > 0
    mean = UserProfile("mean")(item, graph)[active].double()
    target = user[active].double()
    centre, target_centre = mean.mean(0), target.mean(0)
    x, y = mean - centre, target - target_centre
    gram = x.T @ x
    ridge = _RIDGE * gram.diagonal().mean().clamp(min=1e-12)
    solved = torch.linalg.solve(gram + ridge * torch.eye(len(gram)).to(gram), x.T @ y)
    constant = target_centre - centre @ solved
    table = (item.double() @ solved).float()
    return FoldIn([FoldInTerm(table, 0, 1)], constant.float())
