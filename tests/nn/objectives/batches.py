"""Batches whose gradients lead back to tables of embeddings, and awkward ones by name."""

import torch

from crane_pyg.nn.objectives import Triplets

AWKWARD = {
    "one row": ([0], [3], [[5]]),
    "every negative is the positive": ([0, 1, 2], [4, 4, 4], [[4, 4, 4]]),
    "one negative for all": ([0, 1, 2], [4, 5, 6], [[1, 1, 1]]),
    "negatives that are others' positives": ([0, 1, 2], [4, 5, 6], [[5, 6, 4]]),
    "duplicates": ([0, 0, 1, 1, 2], [3, 3, 4, 3, 5], [[6, 6, 6, 3, 7]]),
    "two negatives a row": ([0, 1, 2], [3, 4, 5], [[6, 6, 7], [6, 3, 7]]),
    "zero rows": ([7, 1, 2], [3, 9, 5], [[9, 6, 3]]),  # user 7 and item 9
    "no rows": ([], [], [[]]),
}


def tables():
    """Embeddings of eight users and ten items."""
    user, item = torch.randn(8, 4, dtype=torch.double), torch.randn(10, 4, dtype=torch.double)
    user[7] = item[9] = 0
    return {"user": user.requires_grad_(), "item": item.requires_grad_()}


def gathered(tables, user, pos, neg):
    user, item = (torch.tensor(ids, dtype=torch.long) for ids in (user, [pos, *neg]))
    return Triplets(tables["user"][user], tables["item"][item], user, item)


def similarities(tables, user, items, similarity):
    """One by one."""
    z = tables["user"][user]
    found = []
    for item in items:
        x = tables["item"][item]
        lengths = (z.norm() * x.norm()).item() > 0
        if similarity == "inner":
            found.append(z @ x)
        else:
            found.append(z @ x / (z.norm() * x.norm()) if lengths else (z * 0 + x * 0).sum())
    return found


def compared(kind, row, pos, neg):
    """The items that a row is compared with, one by one, as often as they count."""
    if kind == "row":
        drawn = [negatives[row] for negatives in neg]
    elif kind == "shared":
        drawn = sorted({item for negatives in neg for item in negatives})
    else:
        drawn = pos
    return [item for item in drawn if item != pos[row]]


def stacked(rows, tables):
    """What each row costs, of no rows too."""
    none = torch.cat([table.flatten()[:0] for table in tables.values()])
    return torch.stack(rows) if rows else none


def assert_equal(loss, expected, tables):
    """Values, and gradients by name."""
    torch.testing.assert_close(loss, expected)
    found = torch.autograd.grad(loss.sum(), list(tables.values()))
    wanted = torch.autograd.grad(expected.sum(), list(tables.values()))
    for name, x, y in zip(tables, found, wanted, strict=True):
        torch.testing.assert_close(x, y, msg=lambda text, name=name: f"{name}: {text}")
