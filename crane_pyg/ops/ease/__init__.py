"""Items explained by other items: ridge regressions in closed form."""

from crane_pyg.ops.ease.dense import ease
from crane_pyg.ops.ease.local import local_ease

__all__ = ["ease", "local_ease"]
