"""How well CRANE's first item graph recommends by itself where items lack a modality.

    python -m benchmarks.missing_graph DATA --modality image --ratio 0.3 --out missing_graph.jsonl

For each user the rows of the items taken in training are summed up and ranked; Recall@20 and
NDCG@20 on validation. ``mask`` is what the library does; ``concatenated`` masks as well, but
searches by the cosine of the concatenated features, zeros where something is missing; ``mean`` and
``zero`` fill; ``complete`` loses nothing. One JSON line per policy, means over the drawn gaps.
"""

import argparse
import json
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from benchmarks.missing import drop
from crane_pyg.datasets import load_dataset
from crane_pyg.nn import LearnedItemGraph
from crane_pyg.nn.fusion import FUSIONS
from crane_pyg.nn.models import Recommender
from crane_pyg.nn.user_item import item_to_user_graph
from crane_pyg.ops import CSRGraph, csr_graph, edge_cosine, knn_graph, spmm
from crane_pyg.schema import modalities
from crane_pyg.training import evaluate
from crane_pyg.transforms import FillMissing, row_normalize

POLICIES = ("complete", "mask", "concatenated", "mean", "zero")
K = 5


class BySimilarItems(Recommender):
    """Scores an item by its weights among the neighbours of what the user took in training."""

    def __init__(self, similar: CSRGraph, to_user: CSRGraph) -> None:
        super().__init__()
        self.similar = similar.transpose()
        self.taken = torch.zeros(to_user.num_dst, to_user.num_src)
        self.taken[to_user.dst.long(), to_user.col.long()] = 1

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        return self.taken, torch.arange(self.taken.size(1))

    def scores(self, user: Tensor, item: Tensor) -> Tensor:
        return spmm(self.similar, user.T.contiguous()).T.contiguous()


@torch.no_grad()
def score(data: HeteroData, policy: str, fusion: str) -> dict[str, float]:
    """Of the graph that :class:`~crane_pyg.nn.LearnedItemGraph` starts from."""
    torch.manual_seed(0)
    options = {"impl": "nystrom"} if fusion == "rca" else {}
    graph = LearnedItemGraph(FUSIONS[fusion](modalities(data), **options), K, loop=False)
    graph.warm_start(data)
    if policy == "concatenated":
        spaces = graph.fusion(data)
        x = torch.cat([part for space in spaces for part in space.parts], dim=1)
        known = torch.stack([mask for space in spaces for mask in space.masks]).any(0)
        edges = knn_graph(x, K, mask=known)
        weight = row_normalize(edges, edge_cosine(x, edges), x.size(0))
        similar = csr_graph(edges, weight, size=(x.size(0), x.size(0)))
    else:
        similar = graph(data)
    return evaluate(BySimilarItems(similar, item_to_user_graph(data)), data, "val", ks=(20,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder or synthetic preset")
    parser.add_argument("--modality", nargs="+", required=True, help="each loses items of its own")
    parser.add_argument("--ratio", type=float, default=0.3)
    parser.add_argument("--seeds", type=int, default=5, help="drawings of what is lost")
    parser.add_argument("--fusion", choices=FUSIONS, default="rca")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    dataset = load_dataset(args.data)
    for policy in POLICIES:
        runs = []
        for seed in range(1 if policy == "complete" else args.seeds):
            data = dataset[0]
            for place, modality in enumerate(args.modality if policy != "complete" else ()):
                data = drop(data, modality, args.ratio, 100 * place + seed)
            if policy in ("mean", "zero"):
                data = FillMissing(policy)(data)
            runs.append(score(data, policy, args.fusion))
        frame = pd.DataFrame(runs)
        row = {
            "dataset": dataset.name,
            "fusion": args.fusion,
            "lost": args.modality,
            "ratio": args.ratio,
            "missing": policy,
            "seeds": len(runs),
            **frame.mean().round(5).to_dict(),
            "sd": frame.std().round(5).fillna(0).to_dict(),
        }
        print(row, flush=True)
        with args.out.open("a") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
