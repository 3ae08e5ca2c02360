"""Approximate nearest neighbours by an inverted file of faiss."""

import torch
from torch import Tensor

CELLS_PER_ROOT = 4  # cells for each root of the rows
CELLS_VISITED = 24  # found 96% of five neighbours where it was tried, see docs/scale.md
_PER_CELL = 40  # rows that k-means sees for each cell: the least that faiss does not warn of


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
    except ImportError as error:
        raise ImportError("impl='faiss' needs faiss: pip install faiss-cpu") from error
    x = unit.detach().float().cpu().contiguous()
    rows = x.size(0)
    cells = max(1, min(rows // _PER_CELL, round(CELLS_PER_ROOT * rows**0.5)))
    quantiser = library.IndexFlatIP(x.size(1))
    half = library.ScalarQuantizer.QT_fp16
    by = library.METRIC_INNER_PRODUCT
    index = library.IndexIVFScalarQuantizer(quantiser, x.size(1), cells, half, by, False)
    index.cp.seed, index.cp.max_points_per_centroid = 0, 2 * _PER_CELL
    index.nprobe = min(cells, CELLS_VISITED)
    index.train(x.numpy())
    index.add(x.numpy())
    asking = query.cpu()
    cell = torch.from_numpy(quantiser.assign(x[asking].numpy(), 1)).view(-1)
    order = cell.argsort(stable=True)
    found = torch.empty(asking.numel(), k + 1, dtype=torch.long)
    nearest = index.search(x[asking[order]].numpy(), k + 1)[1]  # itself is among them, as a rule
    found[order] = torch.from_numpy(nearest)
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
