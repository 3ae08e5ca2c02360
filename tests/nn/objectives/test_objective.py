import pytest
import torch

from crane_pyg.nn.objectives import L2, BPRLoss, InfoNCE, Objective, Triplets


def draw(n=6):
    ids = torch.arange(n), torch.arange(2 * n).view(2, n)
    return Triplets(torch.randn(n, 4), torch.randn(2, n, 4), *ids)


def test_the_terms_are_those_of_its_parts():
    objective = Objective(BPRLoss("sum"), InfoNCE(0.3), L2(0.1))
    batches, views = [draw(), draw()], [(torch.randn(3, 4), torch.randn(3, 4))]
    embeddings = [torch.randn(6, 4)]
    terms = objective(*batches, views=views, embeddings=embeddings)
    assert list(terms) == ["bpr", "contrastive", "l2"]
    torch.testing.assert_close(terms["bpr"], sum(BPRLoss("sum")(batch) for batch in batches))
    assert terms["contrastive"] == objective.contrastive(views)
    assert terms["l2"] == objective.regulariser(embeddings, ())


def test_what_it_has_not_is_no_term():
    assert set(Objective()(draw())) == {"bpr"}
    assert set(Objective(contrastive=InfoNCE(0.3))(draw())) == {"bpr"}  # nothing to contrast


def test_it_is_a_value():
    assert Objective(BPRLoss()) == Objective()
    with pytest.raises(AttributeError):
        Objective().regulariser = L2(0.1)
