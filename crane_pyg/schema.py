"""The names of what a graph holds, for the whole package."""

from collections.abc import Mapping

from torch_geometric.data import HeteroData

USER_TO_ITEM = ("user", "interacts", "item")
ITEM_TO_USER = ("item", "rev_interacts", "user")
VISUAL = ("image", "visual")  # what sets call the modality that published settings single out


def modalities(data: HeteroData) -> dict[str, int]:
    """Returns the width of every item modality, by name and in the order of names.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.datasets import modalities
        >>> modalities(SyntheticMultimodal("tiny")[0])
        {'textual': 32, 'visual': 64}
    """
    stored = {key.removeprefix("x_"): x for key, x in data["item"].items() if key.startswith("x_")}
    return {name: stored[name].size(1) for name in sorted(stored)}


def sizes(data: HeteroData) -> tuple[int, int]:
    """Returns how many users and how many items there are."""
    return data["user"].num_nodes, data["item"].num_nodes


def check_modalities(modalities: Mapping[str, object], way_out: str = "") -> None:
    """Refuse data without item features where a model needs them.

    Args:
        modalities: those there are, by name.
        way_out: what else would do, for the message.

    Raises:
        ValueError: if there is no modality.
    """
    if not modalities:
        raise ValueError(f"the data must have item features{way_out} (got no modality)")
