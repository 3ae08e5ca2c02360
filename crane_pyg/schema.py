"""How this package names what a graph holds; every floor reads it."""

from torch_geometric.data import HeteroData

USER_TO_ITEM = ("user", "interacts", "item")
ITEM_TO_USER = ("item", "rev_interacts", "user")
VISUAL = ("image", "visual")  # what sets call the modality that published settings single out


def modalities(data: HeteroData) -> dict[str, int]:
    """Returns the width of every item modality, by name and in the order of names."""
    stored = {key.removeprefix("x_"): x for key, x in data["item"].items() if key.startswith("x_")}
    return {name: stored[name].size(1) for name in sorted(stored)}
