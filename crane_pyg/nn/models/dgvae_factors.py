"""The factors that both auto-encoders of DGVAE share, and what passes between them."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding, Linear


class Factors(torch.nn.Module):
    """One side of the auto-encoder: :math:`n` items, or words, that fall under prototypes."""

    def __init__(self, num_words: int, dim: int, num_factors: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.lin = Linear(num_words, 2 * dim)
        self.word = Embedding(num_words, dim)
        self.prototype = Embedding(num_factors, dim)

    def reset_parameters(self) -> None:
        for module in (self.lin, self.word, self.prototype):
            torch.nn.init.xavier_normal_(module.weight)
        torch.nn.init.normal_(self.lin.bias, std=0.01)

    def assign(self, noise: bool) -> Tensor:
        """Log-probability ``[n, K]`` of each factor; with noise, of a Gumbel-softmax sample."""
        logits = F.normalize(self.word.weight) @ F.normalize(self.prototype.weight).T
        logits = logits / self.temperature
        if noise:
            logits = logits - torch.empty_like(logits).exponential_().log()
        return logits.log_softmax(1)

    def encode(self, h: Tensor, std: float) -> tuple[Tensor, Tensor]:
        """Unit factors ``[B, K, d]``, sampled where there is noise, and their log-variances."""
        mean, log_var = h.chunk(2, dim=2)
        mean, log_var = F.normalize(mean, dim=2), -log_var
        if std > 0:
            noise = std * torch.randn_like(mean)
            mean = F.normalize(mean + noise * (log_var / 2).exp(), dim=2)
        return mean, log_var

    def by_factor(self, log_c: Tensor) -> Tensor:
        """The blocks of :meth:`as_item` one after another, ``[K, d + 1, n]``."""
        blocks = self.as_item(log_c).view(*log_c.shape, -1)
        return blocks.permute(1, 2, 0).contiguous()

    def as_item(self, log_c: Tensor) -> Tensor:
        """``[n, K * (d + 1)]``: the inner product with a user's block is a factor's log-weight."""
        unit = F.normalize(self.word.weight) / self.temperature
        blocks = unit.unsqueeze(1).expand(-1, log_c.size(1), -1)
        return torch.cat([blocks, log_c.unsqueeze(2)], dim=2).flatten(1)


def as_user(z: Tensor) -> Tensor:
    """Factors of users ``[B, K, d]`` as rows ``[B, K * (d + 1)]`` for :meth:`Factors.as_item`'s."""
    return torch.cat([z, torch.ones_like(z[..., :1])], dim=2).flatten(1)


def attend(query: Tensor, key: Tensor) -> Tensor:
    """Compositional attention between factors ``[B, K, d]``: agreement times nearness."""
    distance = (query.unsqueeze(2) - key.unsqueeze(1)).abs().sum(3)  # [B, K, K]
    near = (distance.mean(2, keepdim=True) - distance).sigmoid()
    return ((query @ key.mT).tanh() * near) @ key


def mutual_information_loss(x: Tensor, y: Tensor) -> Tensor:
    """Jensen-Shannon bound, summed over users: alike in one factor, unlike across factors."""
    agree = x @ y.mT  # [B, K, K]
    same = agree.diagonal(dim1=1, dim2=2)
    across = F.softplus(agree).sum((1, 2)) - F.softplus(same).sum(1)
    pairs = same.size(1) * (same.size(1) - 1)
    return (across / pairs + F.softplus(-same).mean(1)).sum()
