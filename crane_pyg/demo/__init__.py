"""The tutorial's shop, with pictures of its things."""

from crane_pyg.demo.toy_shop import write_toy_shop

__all__ = ["write_toy_shop"]
