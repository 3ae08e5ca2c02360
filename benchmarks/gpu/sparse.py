"""Sparse products of the user-item graph: five libraries against the bandwidth of a copy."""

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from benchmarks.gpu.limits import fewest_bytes, gathered_bytes
from benchmarks.gpu.session import Record, Session
from benchmarks.gpu.timing import forget, peak_mb, timed
from benchmarks.spmv_vs_dense import CHANNELS, PRODUCTS, default_methods, product
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.transforms import bipartite_norm

HALF_METHODS = ("spmm", "torch_csr")


def run(session: Session) -> None:
    methods = [m for m in default_methods(session.device) if m in PRODUCTS]
    cases = [(method, torch.float32) for method in methods]
    cases += [(method, torch.bfloat16) for method in HALF_METHODS]
    for preset in session.sizes.scale:
        graph = symmetric(session.data(preset))
        for method, dtype in cases:
            labels = {"preset": preset, "method": method, "dtype": str(dtype).split(".")[1]}
            session.attempt("sparse", labels, measure, session, method, dtype, *graph)
        del graph
        forget(session.device)


def symmetric(data: HeteroData) -> tuple[Tensor, Tensor, int]:
    """The training edges in both directions between users and items, LightGCN's weights."""
    size = (data["user"].num_nodes, data["item"].num_nodes)
    edge_index = data[USER_TO_ITEM].edge_index
    weight = bipartite_norm(edge_index, size)
    user, item = edge_index[0], edge_index[1] + size[0]
    both = torch.stack([torch.cat([user, item]), torch.cat([item, user])])
    return both, weight.repeat(2), sum(size)


def measure(
    session: Session,
    method: str,
    dtype: torch.dtype,
    edge_index: Tensor,
    weight: Tensor,
    num_nodes: int,
) -> Record:
    """Seconds from a cold cache, and bytes a second of two counts: a row gathered for each entry,
    and the fewest there can be."""
    device, seconds = session.device, session.sizes.seconds
    x = torch.randn(num_nodes, CHANNELS, device=device, dtype=dtype).requires_grad_()
    rival = product(method, edge_index, weight.to(dtype), x)
    grad_out = torch.ones_like(x)

    def train() -> object:
        return torch.autograd.grad(rival.forward(), [x], grad_out)

    with torch.no_grad():
        record = timed(rival.forward, device, seconds).record("forward")
    record |= timed(train, device, seconds).record("training")
    record |= {"training_peak_mb": peak_mb(train, device)}
    entries, itemsize = edge_index.size(1), dtype.itemsize
    gathered = gathered_bytes(entries, num_nodes, CHANNELS, itemsize)
    fewest = fewest_bytes(entries, num_nodes, num_nodes, CHANNELS, itemsize)
    for part, passes in (("forward", 1), ("training", 2)):
        rate = passes * gathered / record[f"{part}_s"]
        least = passes * fewest / session.rates["copy"]
        record |= {
            f"{part}_gb_s": rate / 1e9,
            f"{part}_of_copy": rate / session.rates["copy"],
            f"{part}_of_fewest": least / record[f"{part}_s"],
        }
    return record | {"entries": entries, "nodes": num_nodes}
