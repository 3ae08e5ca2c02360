"""Small worlds for fusions and the graphs that they learn."""

import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data

N, M = 12, 6
NAMES = ("a", "b")


def world(user, item, features, masks=None):
    """All interactions are for training."""
    num_users = int(user.max()) + 1
    return build_hetero_data(
        torch.stack([user, item]),
        torch.zeros_like(user),
        num_users=num_users,
        num_items=len(next(iter(features.values()))),
        features=features,
        masks=masks,
    )


def cone():
    """Features and masks of two modalities, one of them in a narrow cone; half of the users take
    what points one way in the first, the others one way in the second."""
    torch.manual_seed(0)
    features = {"a": torch.randn(N, 5), "b": 10 + torch.randn(N, 3)}
    masks = {"a": torch.ones(N, dtype=torch.bool), "b": torch.arange(N) > 1}
    first, second = features["a"][:, 0] > 0, features["b"][:, 0] > features["b"][:, 1]
    user, item = torch.stack([first, second]).repeat(M // 2, 1).nonzero().T
    return world(user, item, features, masks)


def kinds():
    """Users take the items of one kind of four; ``a`` tells the kinds apart, ``b`` halves of them,
    ``c`` is noise."""
    torch.manual_seed(0)
    kind = torch.arange(200) % 4
    features = {
        "a": F.one_hot(kind).float() + 0.3 * torch.randn(200, 4),
        "b": F.one_hot(kind % 2).float() + 0.3 * torch.randn(200, 2),
        "c": torch.randn(200, 4),
    }
    user, item = (torch.arange(8).view(-1, 1) % 4 == kind).nonzero().T
    return world(user, item, features)


def centred(data, modality):
    """Rows of length one, without their mean, and of length one again."""
    x, mask = data["item"][f"x_{modality}"], data["item"][f"{modality}_mask"]
    unit = F.normalize(x, dim=1)
    return F.normalize(unit - unit[mask].mean(0), dim=1) * mask.unsqueeze(1)


def projected(fusion, data):
    """Rows of length one, centred, projected, and of length one again."""
    units = [centred(data, m) @ fusion.lin[m].weight.T for m in NAMES]
    return [F.normalize(x, dim=1) for x in units]
