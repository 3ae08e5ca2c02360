from collections.abc import Callable, Collection, Iterable

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import Partial, Replicate, Shard

from crane_pyg import ranks
from crane_pyg.ops import CSRGraph


class Columns:
    """How a model's embeddings lie on the ranks that train it: here on one, which has them whole.

    Models ask it wherever columns meet. :class:`DividedColumns` answers for several ranks.
    """

    def whole(self, *xs: Tensor) -> list[Tensor]:
        """Rows of all columns, for what every rank then computes alike.

        Args:
            *xs (Tensor): rows of the columns that this rank has.

        Shapes:
            - **xs:** ``[*, d / P]`` each
            - **output:** ``[*, d]`` each
        """
        return list(xs)

    def across(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """A function of whole rows, such as a linear map or a norm.

        Args:
            function: of ``[n, d]``; all ranks compute it, and each keeps its columns.
            x (Tensor): the columns that this rank has.

        Shapes:
            - **x**, **output:** ``[n, d / P]``
        """
        return self.own(function(*self.whole(x)))

    def own(self, x: Tensor) -> Tensor:
        """The columns of this rank, of what all ranks have computed alike.

        Args:
            x (Tensor): whole rows.

        Shapes:
            - **x:** ``[*, d]``
            - **output:** ``[*, d / P]``
        """
        return x

    def rows(self, x: Tensor, index: Tensor) -> Tensor:
        """Whole rows, others on every rank; without a gradient.

        Args:
            x (Tensor): the columns that this rank has.
            index (Tensor): the rows that this rank wants.

        Shapes:
            - **x:** ``[n, d / P]``, **index:** ``[m]``
            - **output:** ``[m, d]``
        """
        return x[index]

    def graph(self, graph: CSRGraph) -> CSRGraph:
        """A graph whose weights every rank knows, for its own columns to walk on.

        Args:
            graph: the same on all ranks.
        """
        return graph

    def lengths(self, parameters: Iterable[Tensor]) -> Iterable[Tensor]:
        """Tensors whose squares sum up to those of the parameters, whole.

        Args:
            parameters: of which some may be divided.
        """
        return parameters


class DividedColumns(Columns):
    """Of each embedding this rank has the columns ``r d / P`` to ``(r + 1) d / P``.

    Args:
        tables: the parameters that are divided.
    """

    def __init__(self, tables: Collection[Tensor]) -> None:
        self._tables = {id(table) for table in tables}

    def has(self, table: Tensor) -> bool:
        """Whether this parameter is divided.

        Args:
            table: any.
        """
        return id(table) in self._tables

    def whole(self, *xs: Tensor) -> list[Tensor]:
        # In one exchange: a small one costs what a larger one does.
        flat = torch.cat([x.reshape(1, -1) for x in xs], dim=1)
        gathered = ranks.placed(flat, Shard(0)).full_tensor()  # [P, numbers of a rank]
        parts = torch.split(gathered, [x.numel() for x in xs], dim=1)
        return [
            part.view(-1, *x.shape).movedim(0, -2).flatten(-2)  # [*, P, d / P] to [*, d]
            for part, x in zip(parts, xs, strict=True)
        ]

    def own(self, x: Tensor) -> Tensor:
        columns = Shard(x.dim() - 1)
        return ranks.placed(x, Replicate()).redistribute(placements=[columns]).to_local()

    def rows(self, x: Tensor, index: Tensor) -> Tensor:
        counts = [0] * ranks.size()
        dist.all_gather_object(counts, index.numel())
        everyone = ranks.gather_shares(index, sum(counts))
        (found,) = self.whole(x[everyone])
        return torch.split(found, counts)[dist.get_rank()]

    def graph(self, graph: CSRGraph) -> CSRGraph:
        return graph._replace(weight=ranks.used_in_parts(graph.weight))

    def lengths(self, parameters: Iterable[Tensor]) -> Iterable[Tensor]:
        for x in parameters:
            if self.has(x):
                yield ranks.placed(x.square().sum(), Partial()).full_tensor().sqrt()
            else:
                yield x
