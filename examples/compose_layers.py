"""CRANE's layers inside a heterogeneous GraphSAGE, which knew no item features before.

The host is a plain PyG model: `HeteroConv` over `SAGEConv`. What it gains: users described by what
they took (`UserProfile`), modalities refined by each other (`RecursiveCrossModalAttention`), and a
step over the graph of resembling items (`SemanticConv`).
"""

import argparse
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.nn import HeteroConv, SAGEConv
from torch_geometric.seed import seed_everything
from torch_geometric.utils import negative_sampling

from crane_pyg.datasets import SyntheticMultimodal, modalities
from crane_pyg.nn import RecursiveCrossModalAttention, SemanticConv, UserProfile
from crane_pyg.ops import edge_cosine, knn_graph
from crane_pyg.transforms import row_normalize

TO_ITEM, TO_USER = ("user", "interacts", "item"), ("item", "rev_interacts", "user")


class MultimodalSAGE(torch.nn.Module):
    def __init__(self, channels: dict[str, int], hidden: int = 32, k: int = 10) -> None:
        super().__init__()
        self.k = k
        self.lin = torch.nn.ModuleDict({m: torch.nn.Linear(d, hidden) for m, d in channels.items()})
        self.profile = UserProfile("mean")
        self.rca = RecursiveCrossModalAttention(dict.fromkeys(channels, hidden))
        width = hidden * len(channels)
        self.host = HeteroConv(
            {edge_type: SAGEConv((width, width), hidden) for edge_type in (TO_ITEM, TO_USER)}
        )
        self.semantic = SemanticConv()

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        num_users = data["user"].num_nodes
        joined = {}
        for m, lin in self.lin.items():
            item = lin(data["item"][f"x_{m}"])
            user = self.profile(item, data[TO_USER].edge_index, num_users)
            joined[m] = torch.cat([user, item])
        x = self.rca(joined)
        user, item = x[:num_users], x[num_users:]

        similar = knn_graph(item.detach(), self.k)
        weight = row_normalize(similar, edge_cosine(item, similar), item.size(0))
        out = self.host({"user": user, "item": item}, data.edge_index_dict)
        return out["user"], out["item"] + self.semantic(out["item"], similar, weight)


def train(model: MultimodalSAGE, data: HeteroData, optimizer: torch.optim.Optimizer) -> float:
    model.train()
    optimizer.zero_grad()
    user, item = model(data)
    pos = data[TO_ITEM].edge_index
    neg = negative_sampling(pos, (user.size(0), item.size(0)), pos.size(1))
    edge = torch.cat([pos, neg], dim=1)
    target = torch.cat([torch.ones(pos.size(1)), torch.zeros(neg.size(1))])
    score = (user[edge[0]] * item[edge[1]]).sum(1)
    loss = F.binary_cross_entropy_with_logits(score, target)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def main(argv: Sequence[str] | None = None) -> list[float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="tiny", help="of SyntheticMultimodal")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--lr", type=float, default=0.01)
    args = parser.parse_args(argv)

    seed_everything(0)
    data = SyntheticMultimodal(args.preset)[0]
    model = MultimodalSAGE(modalities(data))
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    losses = []
    for step in range(1, args.steps + 1):
        losses.append(train(model, data, optimizer))
        if step == 1 or step % 10 == 0:
            print(f"step {step:3d}  loss {losses[-1]:.4f}")
    return losses


if __name__ == "__main__":
    main()
