import os
import signal

import pytest
import torch
import torch.distributed as dist

from crane_pyg import ranks
from crane_pyg.ops import knn_graph, tanh_attention
from tests.together import run_together, start_store


def test_alone_nothing_is_shared_out():
    x = torch.randn(5, 3, requires_grad=True)
    with ranks.together():
        assert (ranks.size(), ranks.is_first(), ranks.share(5)) == (1, True, slice(0, 5))
        assert ranks.gather_shares(x, 5) is x
        assert ranks.used_in_parts(x) is x
        assert ranks.by_rows(lambda rows, other: rows + other, x, x).equal(2 * x)
        ranks.barrier(), ranks.make_alike([x]), ranks.check_alike("word", 1)


def check_rows():
    """Seven rows, or fewer than there are ranks: shares are uneven, and some have none."""
    for count in (1, 2, 7):
        x = torch.randn(count, 4)
        own = x[ranks.share(count)]
        assert ranks.gather_shares(own, count).equal(x)
        query, key = (torch.randn(n, 4, requires_grad=True) for n in (count, 5))
        weight = torch.randn(count, 4)
        exact = torch.tanh(query @ key.T) @ key
        wanted = gradients(exact, weight, query, key)
        for impl in ("reference", "tiled", "nystrom"):
            out = tanh_attention(query, key, key, impl=impl)
            for a, b in zip(gradients(out, weight, query, key), wanted, strict=True):
                torch.testing.assert_close(a, b)


def gradients(out, weight, *inputs):
    return (out, *torch.autograd.grad((out * weight).sum(), inputs))


def check_neighbours(data, wanted):
    assert knn_graph(data, 3, loop=True).equal(wanted)


def check_alike():
    x = torch.full((2,), float(dist.get_rank()))
    ranks.make_alike([x])
    assert x.equal(torch.zeros(2))
    ranks.check_alike("seed", 7)
    with pytest.raises(ValueError, match=r"same seed \(got others on ranks \[1"):
        ranks.check_alike("seed", dist.get_rank())


def test_ranks_share_out_rows():
    x = torch.randn(31, 4)
    wanted = knn_graph(x, 3, loop=True)

    def check():
        assert ranks.size() == 3
        check_rows()
        check_neighbours(x, wanted)
        check_alike()

    assert run_together(3, check) == [0, 0, 0]


def test_a_rank_that_dies_ends_the_others(capfd):
    def die():
        print("heard of the first alone")
        if dist.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        dist.barrier()

    assert run_together(3, die) in ([1, -signal.SIGKILL, 2], [2, -signal.SIGKILL, 1])
    out, err = capfd.readouterr()
    assert out.count("heard") == 1
    assert err.count("LostRankError: another of the 3 ranks has ended") == 1


def test_a_process_group_that_is_there_already_is_used(monkeypatch):
    monkeypatch.setattr(ranks, "launched", lambda: 1)  # together() of each rank does nothing

    def check():
        dist.init_process_group("gloo")
        with monkeypatch.context() as patch:
            patch.setattr(ranks, "launched", lambda: 2)
            with ranks.together():
                assert ranks.size() == 2
                check_alike()
        assert dist.is_initialized()

    assert run_together(2, check) == [0, 0]


def test_of_an_error_on_all_ranks_one_is_shown(capfd):
    def fail():
        raise ValueError("wrong number")

    assert sorted(run_together(2, fail)) == [1, 2]
    assert capfd.readouterr().err.count("ValueError: wrong number") == 1


def test_a_restart_hears_nothing_of_the_attempt_before(monkeypatch, capfd):
    def fail():
        raise ValueError("wrong number")

    store = start_store()
    monkeypatch.setenv("GROUP_WORLD_SIZE", "1")
    for attempt in range(2):
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", str(attempt))
        assert sorted(run_together(2, fail, store=store)) == [1, 2]
        assert capfd.readouterr().err.count("ValueError: wrong number") == 1
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    assert run_together(2, check_alike, store=store) == [0, 0]


def test_each_rank_takes_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    device = torch.device("cuda")
    assert ranks.own_device(device) == device
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert ranks.own_device(torch.device("cpu")) == torch.device("cpu")
    assert ranks.own_device(device) == torch.device("cuda", 1)
    assert chosen == [1]
    with pytest.raises(ValueError, match=r"must be 'cuda' \(got 2 GPUs, rank 1 .* 'cuda:0'\)"):
        ranks.own_device(torch.device("cuda:0"))
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ValueError, match="got 2 GPUs, rank 2"):
        ranks.own_device(device)
