from collections.abc import Callable
from typing import Generic, TypeVar

from torch import Tensor

T = TypeVar("T")


class KeptFor(Generic[T]):
    """Keeps a value that was built from some tensors, until it is asked for with others.

    Tensors count as the same only if they are the same objects: their values are not compared.
    A copy or a pickle of it is empty, so that copies of a model carry no data along.
    """

    def __init__(self) -> None:
        self._source: tuple[Tensor, ...] = ()
        self._kept: T | None = None

    def __call__(self, source: tuple[Tensor, ...], build: Callable[[], T]) -> T:
        """The kept value if it was built from the same source, else what ``build`` returns.

        Args:
            source: the tensors that the result depends on.
            build: a function without arguments that returns the value, which is never ``None``.
        """
        same = len(source) == len(self._source)
        same = same and all(a is b for a, b in zip(source, self._source, strict=True))
        if self._kept is None or not same:
            self._kept, self._source = build(), source
        return self._kept

    def clear(self) -> None:
        """Forget what is kept."""
        self._source, self._kept = (), None

    def __reduce__(self) -> tuple[type["KeptFor[T]"], tuple[()]]:
        return KeptFor, ()
