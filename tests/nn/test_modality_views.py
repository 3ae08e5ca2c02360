import torch

from crane_pyg.nn.modality_views import ModalityViews


def test_rows_and_their_gradients_are_those_of_indexing():
    content = torch.randn(5, 3, requires_grad=True)
    views = torch.randn(5, 2, 3, requires_grad=True)
    side = ModalityViews(content, views, torch.rand(5, 2) > 0.5)
    index = torch.tensor([4, 0, 4, 2])
    found = side.rows(index)
    weight = torch.randn(4, 3, 3)
    assert torch.equal(found.content, content[index])
    assert torch.equal(found.views, views[index])
    assert torch.equal(found.known, side.known[index])
    grads = [
        torch.autograd.grad((torch.cat([v, c.unsqueeze(1)], 1) * weight).sum(), (content, views))
        for c, v in ((found.content, found.views), (content[index], views[index]))
    ]
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs)
