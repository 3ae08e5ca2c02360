"""Approximate nearest neighbours by an inverted file of faiss."""

import torch
from torch import Tensor

CELLS_PER_ROOT = 4  # cells for each root of the rows
CELLS_VISITED = 28  # found 90% of five neighbours where it was tried, see docs/scale.md
_PER_CELL = 40  # rows that k-means sees for each cell: the least that faiss does not warn of
_ROUNDS = 5  # of k-means: ten take twice as long and find .7% more, four more cells 1.9%


def faiss(unit: Tensor, k: int, query: Tensor) -> Tensor:
    """Most of the k most similar other rows of some rows; where fewer are found, any.

    Rows are put into cells by k-means, and a row looks into the cells that are nearest to it. Rows
    of one cell ask one after the other, as they look into the same cells, which then stay in the
    cache: 21 s in the place of 32 for 200,000 rows of 128 channels on one core. Cells hold half
    precision, which takes three quarters of that time: of neighbours that are as similar to a
    thousandth it may take either. On a CPU, whatever the device; equal rows give equal graphs.
    """
    try:
        import faiss as library
        from faiss.contrib.ivf_tools import add_preassigned, search_preassigned
    except ImportError as error:
        raise ImportError("impl='faiss' needs faiss: pip install faiss-cpu") from error
    x = unit.detach().float().cpu().contiguous()
    rows = x.size(0)
    cells = max(1, min(rows // _PER_CELL, round(CELLS_PER_ROOT * rows**0.5)))
    quantiser = library.IndexFlatIP(x.size(1))
    half = library.ScalarQuantizer.QT_fp16
    by = library.METRIC_INNER_PRODUCT
    index = library.IndexIVFScalarQuantizer(quantiser, x.size(1), cells, half, by, False)
    index.cp.seed, index.cp.max_points_per_centroid, index.cp.niter = 0, 2 * _PER_CELL, _ROUNDS
    index.nprobe = min(cells, CELLS_VISITED)
    index.train(x.numpy())
    similarity, cells_of = map(torch.from_numpy, quantiser.search(x.numpy(), index.nprobe))
    own = cells_of[:, 0].contiguous()
    add_preassigned(index, x.numpy(), own.numpy())
    asking = query.cpu()
    order = own[asking].argsort(stable=True)
    x, cells_of, similarity = (each[asking[order]] for each in (x, cells_of, similarity))
    nearest = search_preassigned(index, x.numpy(), k + 1, cells_of.numpy(), similarity.numpy())[1]
    found = torch.empty(asking.numel(), k + 1, dtype=torch.long)
    found[order] = torch.from_numpy(nearest)  # a row itself is among them, as a rule
    return _others(found, asking, k, rows).to(query.device)


def _others(found: Tensor, asking: Tensor, k: int, rows: int) -> Tensor:
    """The first k that are not the row itself; for what was not found, the rows that follow."""
    lacking = (found < 0) | (found == asking.unsqueeze(1))
    order = lacking.to(torch.int8).sort(dim=1, stable=True).indices[:, :k]
    found, lacking = found.gather(1, order), lacking.gather(1, order)
    for row in lacking.any(1).nonzero().view(-1).tolist():
        known = {int(asking[row]), *found[row][~lacking[row]].tolist()}
        rest = (j % rows for j in range(int(asking[row]) + 1, int(asking[row]) + rows))
        spare = (j for j in rest if j not in known)
        for place in lacking[row].nonzero().view(-1).tolist():
            found[row, place] = next(spare)
    return found
