"""Training on the device: no waiting inside a step, CUDA graphs, repeated and resumed runs."""

import contextlib
import math
import warnings

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from crane_pyg.datasets import SyntheticMultimodal
from crane_pyg.nn.models import MODELS
from crane_pyg.nn.objectives import RANKING_LOSSES
from crane_pyg.ops.distinct import padded_distinct
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training import TripletSampler, fit
from crane_pyg.training.memory import peak_memory_mb, reset_peak_memory
from tests.gpu.gpu_device import DEVICE, copy_to, needs_cuda, synchronise

WAITING = {
    "aten::_local_scalar_dense",
    "aten::_unique2",
    "aten::equal",
    "aten::masked_select",
    "aten::nonzero",
    "aten::unique_consecutive",
    "aten::unique_dim",
}
OPTIONS = {"batch_size": 512, "lr": 0.01, "progress": False}


@pytest.fixture(scope="module")
def data():
    return SyntheticMultimodal("tiny", missing_rate=0.1)[0]


def build(name, data, **settings):
    torch.manual_seed(0)
    settings |= {"k": 5} if name in ("crane", "freedom") else {}
    return MODELS[name].from_settings(data, embedding_dim=16, **settings)


def sampler_of(data):
    generator = torch.Generator(DEVICE).manual_seed(0)
    return TripletSampler(data[USER_TO_ITEM].edge_index, data["item"].num_nodes, 512, generator)


class RefuseWaiting(TorchDispatchMode):
    """The rehearsal: refuses what on CUDA makes the host wait for a value or a size."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, kwargs = func._schema.name, kwargs or {}
        sizes = name == "aten::repeat_interleave" and kwargs.get("output_size") is None
        masks = name == "aten::index" and any(
            x is not None and x.dtype in (torch.bool, torch.uint8) for x in tree_leaves(args[1])
        )
        if name in WAITING or sizes or masks:
            raise RuntimeError(f"{name} makes the host wait")
        return func(*args, **kwargs)


@contextlib.contextmanager
def no_synchronisation():
    """Raises where the host waits for the device."""
    if DEVICE == "cpu":
        with RefuseWaiting():
            yield
        return
    synchronise()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not detect everything
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_waiting_is_noticed():
    x = torch.ones(3, device=DEVICE)
    with pytest.raises(RuntimeError), no_synchronisation():
        float(x.sum())
    with pytest.raises(RuntimeError), no_synchronisation():
        x[x > 0].sum()
    with no_synchronisation():
        x.sum()


def test_batches_are_drawn_without_waiting(data):
    sampler = sampler_of(copy_to(DEVICE, data))
    batches = iter(sampler)
    # An epoch is drawn as it begins: of few edges CUDA takes the order from the host.
    few = DEVICE != "cpu" and sampler.edge_index.size(1) < 2**16
    with contextlib.nullcontext() if few else no_synchronisation():
        drawn = [next(batches)]
    with no_synchronisation():
        drawn += list(batches)
    assert len(drawn) == len(sampler)
    user, pos, neg = (torch.cat(part) for part in zip(*drawn))
    num_items = data["item"].num_nodes
    edges = data[USER_TO_ITEM].edge_index.to(DEVICE)
    taken = edges[0] * num_items + edges[1]
    assert torch.equal((user * num_items + pos).sort().values, taken.sort().values)
    assert not torch.isin(user * num_items + neg, taken).any()


def test_the_sampler_repeats_itself(data):
    edges = copy_to(DEVICE, data)
    first, second = (list(sampler_of(edges)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("ranking", RANKING_LOSSES)
@pytest.mark.parametrize("name", ["bpr", "lightgcn", "freedom", "crane"])
def test_a_training_step_never_waits_between_rebuilds(name, ranking, data, monkeypatch):
    if DEVICE == "cpu":  # where torch.unique waits for nothing, and is taken
        monkeypatch.setattr("crane_pyg.ops.sparse._can_skip", lambda x: False)
        monkeypatch.setattr("crane_pyg.nn.models.crane.distinct", padded_distinct)
        monkeypatch.setattr("crane_pyg.nn.models.lightgcn.distinct", padded_distinct)
        monkeypatch.setattr("crane_pyg.nn.objectives.negatives.distinct", padded_distinct)
    data = copy_to(DEVICE, data)
    model = build(name, data, ranking=ranking).to(DEVICE)
    optimizer = torch.optim.AdamW(model.parameter_groups(1e-3), weight_decay=0.0, fused=True)
    total = torch.zeros((), device=DEVICE)

    def step(batch):
        optimizer.zero_grad()
        loss = torch.stack([*model.loss(data, *batch).values()]).sum()
        torch.autograd.backward(loss)
        optimizer.step()
        total.add_(loss.detach())

    first, second, *others = sampler_of(data)
    model.start_epoch(data)
    step(first)  # builds the graphs and the optimiser's state
    step(second)
    with no_synchronisation():
        for batch in others:
            step(batch)
    assert total.isfinite()


@needs_cuda
def test_a_captured_step_has_the_losses_of_an_eager_one(data):
    data = copy_to(DEVICE, data)
    batches = [batch for batch in sampler_of(data) if batch[0].numel() == 512]
    start = build("lightgcn", data).to(DEVICE)

    def prepare():
        model = copy_to(DEVICE, start)
        return model, torch.optim.Adam(model.parameters(), lr=1e-2, fused=True, capturable=True)

    def step(model, optimizer, batch):
        optimizer.zero_grad(set_to_none=True)
        loss = torch.stack([*model.loss(data, *batch).values()]).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    eager = prepare()
    expected = torch.stack([step(*eager, batch) for batch in batches])

    model, optimizer = prepare()
    static = [x.clone() for x in batches[0]]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step(model, optimizer, static)
    torch.cuda.current_stream().wait_stream(stream)
    with torch.no_grad():  # in place: the graph keeps the addresses
        for parameter, value in zip(model.parameters(), start.parameters(), strict=True):
            parameter.copy_(value)
        for state in optimizer.state.values():
            for value in state.values():
                value.zero_()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step(model, optimizer, static)

    losses = []
    for batch in batches:
        for place, value in zip(static, batch, strict=True):
            place.copy_(value)
        graph.replay()
        losses.append(loss.clone())
    torch.testing.assert_close(torch.stack(losses), expected, rtol=1e-4, atol=1e-6)
    for key, value in eager[0].state_dict().items():
        # Where a gradient is rounding noise, Adam may step either way.
        close = (model.state_dict()[key] - value).abs() < 1e-4
        assert close.float().mean() > 0.999, key


@pytest.mark.parametrize("name", ["lightgcn", "crane"])
def test_two_runs_of_one_seed_agree(name, data, capsys):
    """To the bit is promised on a CPU only."""
    models = [build(name, data) for _ in range(2)]
    runs = [fit(m, copy_to("cpu", data), epochs=2, device=DEVICE, **OPTIONS) for m in models]
    histories = [
        torch.tensor([[v for k, v in row.items() if k != "seconds"] for row in run.history])
        for run in runs
    ]
    torch.testing.assert_close(*histories, rtol=1e-3, atol=0.01)
    pairs = zip(*(m.state_dict().values() for m in models), strict=True)
    same = all(torch.equal(a, b) for a, b in pairs)
    with capsys.disabled():
        print(f"\n{name}: two runs on {DEVICE} are {'' if same else 'not '}the same to the bit")
    if DEVICE == "cpu":
        assert same


@pytest.mark.parametrize("name", ["lightgcn", "crane"])
@pytest.mark.parametrize("devices", [("cpu", DEVICE), (DEVICE, "cpu"), (DEVICE, DEVICE)])
def test_a_run_goes_on_where_it_was_left_on_the_other_device(name, devices, data, tmp_path):
    first, second = devices
    path = tmp_path / "checkpoint.pt"
    killed = build(name, data)
    result = fit(killed, copy_to("cpu", data), epochs=2, device=first, checkpoint=path, **OPTIONS)

    finished = build(name, data)
    again = fit(finished, copy_to("cpu", data), epochs=2, device=second, checkpoint=path, **OPTIONS)
    assert again.history == result.history
    for key, value in killed.state_dict().items():
        there = finished.state_dict()[key].cpu()
        if key.startswith("residual."):  # solved after training, each time on the device at hand
            torch.testing.assert_close(there, value.cpu(), rtol=1e-3, atol=1e-4)
        else:
            assert torch.equal(there, value.cpu()), key

    resumed = build(name, data)
    options = OPTIONS | {"epochs": 4, "patience": 50}
    result = fit(resumed, copy_to("cpu", data), device=second, checkpoint=path, **options)
    assert result.history[:2] == again.history
    losses = [row["loss"] for row in result.history]
    assert len(losses) == 4
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[3] < losses[1]
    assert next(resumed.parameters()).device.type == torch.device(second).type


@needs_cuda
def test_peak_memory_is_that_of_the_allocator():
    device = torch.device(DEVICE)
    reset_peak_memory(device)
    before = peak_memory_mb(device)
    large = torch.ones(2**27, dtype=torch.uint8, device=device)
    assert 127 < peak_memory_mb(device) - before < 160
    del large
    reset_peak_memory(device)
    assert peak_memory_mb(device) - before < 1
