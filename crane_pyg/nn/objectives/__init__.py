"""What a batch minimises."""

from crane_pyg.nn.objectives.losses import bpr_loss, info_nce_loss

__all__ = ["bpr_loss", "info_nce_loss"]
