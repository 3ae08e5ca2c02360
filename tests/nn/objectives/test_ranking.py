import torch
import torch.nn.functional as F

from crane_pyg.nn.objectives import RankingLoss, Triplets


class Cosine(RankingLoss):
    similarity = "cosine"


def test_every_pair_is_scored_by_the_losss_similarity():
    user, item = torch.randn(3, 4), torch.randn(5, 4)
    pairs = user.unsqueeze(1), item.unsqueeze(0)
    torch.testing.assert_close(RankingLoss().scores(user, item), (pairs[0] * pairs[1]).sum(-1))
    torch.testing.assert_close(Cosine().scores(user, item), F.cosine_similarity(*pairs, dim=-1))


def test_inner_products_of_a_batch():
    user, item = torch.tensor([[1.0, 2.0]]), torch.tensor([[[3.0, 4.0]], [[5.0, 6.0]]])
    ids = torch.tensor([0]), torch.tensor([[1], [2]])
    assert Triplets(user, item, *ids).inner.tolist() == [[11], [17]]
