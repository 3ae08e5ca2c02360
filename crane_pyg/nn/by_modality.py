from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import ClassVar, Generic, TypeVar

from torch import Tensor
from torch.nn import Module

T = TypeVar("T", bound=Module | Tensor)


class ByModality(Module, Generic[T]):
    """Modules, or parameters, by the names of modalities.

    :class:`torch.nn.ModuleDict` refuses names with a dot and those of its own attributes, such as
    ``keys`` and ``type``; here any name works. In a state dict a name stands as it is, but that
    a dot is written ``%2E`` and a percent sign ``%25``, and that ``%`` stands before the name of
    an attribute of modules.

    Args:
        of (dict): the modules, or the parameters, by name.
    """

    _places: ClassVar[Mapping[str, str]] = {}

    def __init__(self, of: Mapping[str, T]) -> None:
        super().__init__()
        self.__dict__["_places"] = places = {name: self._place(name) for name in of}
        for name, value in of.items():
            setattr(self, places[name], value)

    def _place(self, name: str) -> str:
        escaped = name.replace("%", "%25").replace(".", "%2E")
        return f"%{escaped}" if hasattr(self, escaped) else escaped

    def __getitem__(self, name: str) -> T:
        found: T = getattr(self, self._places[name])
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def items(self) -> ItemsView[str, T]:
        """Names and what they stand for, in the order given."""
        return {name: self[name] for name in self}.items()

    def values(self) -> ValuesView[T]:
        """What the names stand for, in the order given."""
        return {name: self[name] for name in self}.values()
