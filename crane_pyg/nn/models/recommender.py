import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, ClassVar, Concatenate, NamedTuple, ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch_geometric.data import Data, HeteroData
from typing_extensions import Self

from crane_pyg.choices import check_choice
from crane_pyg.nn.columns import Columns
from crane_pyg.nn.fold_in import FoldIn
from crane_pyg.nn.kept import KeptFor
from crane_pyg.nn.objectives import Objective, RankingName, RankingSettings
from crane_pyg.nn.scorer import Quality, Scorer
from crane_pyg.nn.user_item import user_item_graphs
from crane_pyg.ops import CSRGraph
from crane_pyg.ranges import check_arguments
from crane_pyg.schema import USER_TO_ITEM

# Arguments that are of the data, or objects, and so no settings of a command.
_NOT_SETTINGS = {"data", "num_users", "num_items", "modalities", "ranking", "item_graph"}

_RANKING = dict(inspect.signature(RankingSettings).parameters)

P = ParamSpec("P")
R = TypeVar("R")


def single_precision(
    method: Callable[Concatenate[Any, P], R],
) -> Callable[Concatenate[Any, P], R]:
    """A method of a model that autocast leaves in the precision of the parameters.

    For models that divide by what is nearly zero: in half precision it is zero.
    """

    @wraps(method)
    def in_its_own(model: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with torch.autocast(next(model.parameters()).device.type, enabled=False):
            return method(model, *args, **kwargs)

    return in_its_own


class Preset(NamedTuple):
    """Published settings: those of the model's ``from_data`` and those of ``fit``."""

    model: dict[str, Any]
    fit: dict[str, Any]


class Recommender(nn.Module):
    """Base of all models: constructed from sizes, gives embeddings of users and items.

    A subclass implements :meth:`forward`, :meth:`loss` and :meth:`from_data`, and sets
    :attr:`out_channels`. One whose loss is a ranking term beside others has an :attr:`objective`,
    and a pair scores as its ranking loss says: by the inner product, or by the cosine. Any
    :class:`~crane_pyg.nn.objectives.RankingLoss` may take the place of its own, as the argument
    ``ranking`` or within ``objective``. A model with a likelihood of its own has neither, and may
    overwrite :meth:`scores`.

    Raises:
        ValueError: if a setting has a number that no setting of its name can have, see
            :func:`~crane_pyg.ranges.check_range`.
    """

    objective: Objective | None = None
    out_channels: int
    """Width of the embeddings that :meth:`forward` returns."""
    presets: ClassVar[Mapping[str, Preset]] = {}
    """Published settings, by the name of a data set or of what published them."""
    fit_defaults: ClassVar[Mapping[str, Any]] = {}
    """Settings of training that go with the model's own, where they are not everyone's."""
    resolved: Mapping[str, Any] = MappingProxyType({})
    """Settings that were left to the data, and what :meth:`from_data` made of them."""
    takes_ranking: ClassVar[bool] = True
    """Whether another ranking loss may take the place of the model's own."""
    own_ranking: ClassVar[RankingName] = "bpr"
    """The ranking loss of a model that takes one, where none is given."""
    reads_histories: ClassVar[bool] = False
    """Whether the loss is of all items of a batch's users, so that an epoch visits each user once
    and not each interaction."""
    scores_unseen: ClassVar[bool] = False
    """Whether items without training interactions are scored by content alone; then they are no
    negatives in training."""
    propagates: ClassVar[bool] = True
    """Whether embeddings depend on the user-item graph, not on learned tables and features
    alone."""

    tables: ClassVar[tuple[str, ...]] = ()
    """Embeddings whose columns several ranks may divide; without any, one rank trains the model.

    Between them and the batch's rows everything is linear over a graph, or goes through
    :attr:`columns`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        # Before anything is made of them: numbers mean the same in every model.
        check_arguments(cls.__init__, None, *args, **kwargs)
        return super().__new__(cls)

    def __init__(self) -> None:
        super().__init__()
        self.columns = Columns()
        self._graphs = KeptFor[tuple[CSRGraph, CSRGraph]]()

    @classmethod
    def from_data(cls, data: HeteroData, **settings: Any) -> Self:
        """Construct with the sizes of ``data``.

        Args:
            data: the graph.
            **settings: see :meth:`settings`.
        """
        raise NotImplementedError

    @classmethod
    def settings(cls) -> dict[str, inspect.Parameter]:
        """The settings that :meth:`from_settings` takes, by name, each with its type and default.

        Only those that JSON can hold: no objects, and nothing that the data decide.
        """
        found = [dict(inspect.signature(f).parameters) for f in (cls, cls.from_data)]
        own = {
            name: parameter
            for name, parameter in (found[0] | found[1]).items()
            if name not in _NOT_SETTINGS and parameter.kind is not parameter.VAR_KEYWORD
        }
        if "ranking" not in found[0]:
            return own
        ranking = _RANKING["ranking"].replace(default=cls.own_ranking)
        return own | _RANKING | {"ranking": ranking}

    @classmethod
    def from_settings(cls, data: HeteroData, **settings: Any) -> Self:
        """Construct from settings as commands and files have them.

        As :meth:`from_data` does, but the ranking loss is that of
        :class:`~crane_pyg.nn.objectives.RankingSettings`, by name.

        Args:
            data: the graph.
            **settings: see :meth:`settings`.
        """
        if "ranking" in inspect.signature(cls).parameters:
            flat = {name: settings.pop(name) for name in _RANKING if name in settings}
            named = RankingSettings(**{"ranking": cls.own_ranking} | flat)
            settings["ranking"] = named.ranking_loss()
        return cls.from_data(data, **settings)

    @classmethod
    def skeleton(cls, data: HeteroData, **settings: Any) -> Self:
        """Construct a model whose weights are about to be loaded.

        As :meth:`from_settings` does, but what it would compute from the features may be left out.

        Args:
            data: the graph.
            **settings: see :meth:`settings`.
        """
        return cls.from_settings(data, **settings)

    @classmethod
    def preset(cls, name: str) -> Preset:
        """Published settings by name.

        Raises:
            ValueError: if there are none of that name.
        """
        if not cls.presets:
            raise ValueError(f"{cls.__name__} has no preset (got {name!r})")
        check_choice(f"preset of {cls.__name__}", name, cls.presets)
        return cls.presets[name]

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        """Embeddings of all users and all items.

        Args:
            data: the graph.

        Shapes:
            - **output:** ``[M, out_channels]`` and ``[N, out_channels]``; on several ranks, the
              columns of this one
        """
        raise NotImplementedError

    def scores(self, user: Tensor, item: Tensor) -> Tensor:
        """The score of every pair, by which items are ranked.

        Args:
            user (Tensor): rows of the users' embeddings.
            item (Tensor): rows of the items' embeddings.

        Shapes:
            - **user:** ``[m, out_channels]``, **item:** ``[n, out_channels]``
            - **output:** ``[m, n]``
        """
        if self.objective is not None:
            return self.objective.ranking.scores(user, item)
        return user @ item.T

    def scorer(self, data: HeteroData) -> Scorer:
        """How users score the whole catalogue; what all users share is computed here, once.

        Evaluation and recommendation rank by it. By default the embeddings' :meth:`scores`.

        Args:
            data: the graph.

        Returns:
            a function from users ``[B]`` to their scores ``[B, N]``, the caller's to overwrite.
        """
        user_emb, item_emb = self(data)
        (item_emb,) = self.columns.whole(item_emb)
        return lambda user: self.scores(self.columns.rows(user_emb, user), item_emb)

    def similar_items(self, data: HeteroData) -> Data:
        """The item-item graph in use, edges from an item's neighbours to the item.

        Args:
            data: the graph.

        Shapes:
            - **edge_index:** ``[2, E]``, **edge_weight:** ``[E]``

        Raises:
            ValueError: if the model has none.
        """
        item_graph = getattr(self, "item_graph", None)
        if item_graph is None:
            raise ValueError(f"the model must have an item graph (got {self.__class__.__name__})")
        graph: CSRGraph = item_graph(data)
        weight, num_items = graph.weight.detach(), graph.num_dst
        return Data(edge_index=graph.edge_index, edge_weight=weight, num_nodes=num_items)

    def fold_in(self, data: HeteroData) -> FoldIn | None:
        """What the model makes of a user whom it has not seen, from what they took.

        Args:
            data: the graph.

        Returns:
            the sums that are their vector; ``None`` where it is no sum over their items.
        """
        return None

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        """Named, weighted terms of the training loss of one batch; their sum is minimised.

        Args:
            data: the graph.
            user (Tensor): users.
            pos (Tensor): an item that each of them took.
            neg (Tensor): an item that each of them did not take.

        Shapes:
            - **user**, **pos**, **neg:** ``[B]``
            - **output:** a number each
        """
        raise NotImplementedError

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Parameters, their learning rates and decays, as :class:`torch.optim.AdamW` takes them."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def num_learned(self) -> int:
        """How many numbers training decides on."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def start_epoch(self, data: HeteroData) -> None:
        """Called by training before the first batch of each epoch.

        Here a model prepares to draw or rebuild what it does once an epoch.

        Args:
            data: the graph.
        """

    def calibrate(self, data: HeteroData, quality: Quality) -> float | None:
        """Called once after training, with the best weights loaded.

        Here a model may choose what training does not learn, such as the weight of a score that it
        mixes in, by trying values.

        Args:
            data: the graph.
            quality: the validation scores of what could be ways to score, such as :meth:`scorer`
                gives them.

        Returns:
            the validation score of what was chosen, ``None`` where there is nothing to choose.
        """
        return None

    def user_item_graphs(self, data: HeteroData) -> tuple[CSRGraph, CSRGraph]:
        """User-to-item and item-to-user edges with Laplacian weights, built once per ``data``."""
        source = (data[USER_TO_ITEM].edge_index,)
        return self._graphs(source, lambda: user_item_graphs(data))
