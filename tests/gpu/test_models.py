"""Every model on the device: the losses, scores and lists of a CPU from the same weights."""

import math

import pytest
import torch

from crane_pyg.datasets import SyntheticMultimodal
from crane_pyg.nn.models import CRANE, MODELS, SolvedRecommender
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training import TripletSampler, evaluate, fit, load_model, recommend, save_model
from tests.gpu.gpu_device import DEVICE, assert_same_lists, copy_to
from tests.ops.attention.oracle import import_kernels

K = ("crane", "dgvae", "freedom", "lattice", "mgcn", "smore")
# What is drawn in training, on the device of the model, is left out of a comparison.
SETTINGS = {"freedom": {"drop_ratio": 0.0}}
RANDOM = ("bm3", "dgvae", "lgmrec", "multivae", "simplex")  # in training mode only
MULTIPLIES_IN_HALF = ("crane", "dgvae", "lgmrec", "mmgcn")
SOLVED = {name for name in MODELS if issubclass(MODELS[name], SolvedRecommender)}


@pytest.fixture(scope="module")
def data():
    return SyntheticMultimodal("tiny", missing_rate=0.1)[0]


@pytest.fixture(params=sorted(MODELS.keys() - SOLVED))
def name(request):
    return request.param


@pytest.fixture(params=sorted(SOLVED))
def solved_name(request):
    return request.param


@pytest.fixture(params=sorted(MODELS))
def any_name(request):
    return request.param


def small(name):
    settings = {"embedding_dim": 16} if "embedding_dim" in MODELS[name].settings() else {}
    return settings | ({"k": 5} if name in K else {})


def build(name, data, **settings):
    torch.manual_seed(0)
    return MODELS[name].from_data(data, **small(name) | settings)


def one_epoch(data):
    generator = torch.Generator().manual_seed(0)
    edges = data[USER_TO_ITEM].edge_index
    return list(TripletSampler(edges, data["item"].num_nodes, 512, generator))


def train(model, data, device, triplets):
    """The loss of each batch, and the model after them."""
    model, data = copy_to(device, model), copy_to(device, data)
    optimizer = torch.optim.AdamW(model.parameter_groups(1e-3), weight_decay=0.0, fused=True)
    model.start_epoch(data)
    losses = []
    for batch in triplets:
        optimizer.zero_grad()
        loss = torch.stack([*model.loss(data, *(x.to(device) for x in batch)).values()]).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses).cpu(), model, data


def test_an_epoch_has_the_losses_and_validation_scores_of_a_cpu(name, data):
    model = build(name, data, **SETTINGS.get(name, {})).train(name not in RANDOM)
    triplets = one_epoch(data)
    expected, on_cpu, cpu_data = train(model, data, "cpu", triplets)
    losses, on_device, device_data = train(model, data, DEVICE, triplets)
    assert losses.isfinite().all()
    # Rounding alone moves a loss by 1e-6; the rest is for a neighbour that it decides.
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-6)
    scores = evaluate(on_device, device_data, "val")
    for metric, value in evaluate(on_cpu, cpu_data, "val").items():
        assert scores[metric] == pytest.approx(value, abs=0.01), metric


def test_an_epoch_of_fit_is_finite_and_three_learn(name, data):
    model = build(name, data)
    options = {"batch_size": 512, "lr": 0.01, "progress": False}
    result = fit(model, copy_to("cpu", data), epochs=3, device=DEVICE, **options)
    assert all(math.isfinite(value) for row in result.history for value in row.values())
    assert all(p.isfinite().all() for p in model.parameters())
    assert next(model.parameters()).device.type == DEVICE
    assert result.history[-1]["loss"] < result.history[0]["loss"]


def test_what_is_solved_for_on_the_device_is_what_a_cpu_finds(solved_name, data):
    models = [build(solved_name, data) for _ in range(2)]
    scores = []
    for model, device in zip(models, ("cpu", DEVICE), strict=True):
        there = copy_to(device, data)
        fit(model, there, epochs=3, device=device, progress=False)
        assert all(value.device.type == device for value in model.state_dict().values())
        users = torch.arange(data["user"].num_nodes, device=device)
        scores.append(model.scorer(there)(users).cpu())
    torch.testing.assert_close(scores[1], scores[0], rtol=1e-3, atol=1e-4)


def test_lists_scores_and_files_are_those_of_a_cpu(any_name, data, tmp_path):
    name = any_name
    settings = small(name)
    cpu_data = copy_to("cpu", data)
    model = build(name, data)
    fit(model, cpu_data, epochs=1, batch_size=512, progress=False)
    on_device, device_data = copy_to(DEVICE, model), copy_to(DEVICE, data)
    for exclude in ("seen", "none"):
        expected = recommend(model, cpu_data, k=10, exclude=exclude)
        assert_same_lists(recommend(on_device, device_data, k=10, exclude=exclude), expected)
    some = torch.tensor([7, 3, 7])
    found = recommend(on_device, device_data, some, k=5)  # users of the CPU, too
    assert_same_lists(found, recommend(model, cpu_data, some, k=5))
    expected = evaluate(model, cpu_data, "test")
    for protocol in ("strict", "mmrec"):
        expected = evaluate(model, cpu_data, "test", protocol=protocol)
        scores = evaluate(on_device, device_data, "test", protocol=protocol, batch_size=100)
        if name != "popularity":  # counts tie, and which of equals come first is the device's
            assert scores == pytest.approx(expected, abs=0.005)

    save_model(on_device, name, settings, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors", cpu_data)
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key


def test_construction_from_a_graph_on_the_device(name, data):
    """CRANE starts from a random decomposition of the features: most neighbours stay."""
    device_data = copy_to(DEVICE, data)
    model = build(name, device_data).to(DEVICE).eval()
    for embedding in model(device_data):
        assert embedding.isfinite().all()
    if name == "crane":
        weight = model.item_graph.graph.fusion.modality_share.cpu()
        on_cpu = build(name, data).eval()
        assert torch.equal(weight, on_cpu.item_graph.graph.fusion.modality_share)
        edges = [
            set(map(tuple, m.similar_items(x).edge_index.T.tolist()))
            for m, x in ((model, device_data), (on_cpu, copy_to("cpu", data)))
        ]
        assert len(edges[0] & edges[1]) > 0.85 * len(edges[1])


@pytest.mark.parametrize("impl", ["reference", "tiled", "triton", "nystrom", "linear"])
def test_crane_with_each_attention(impl, data):
    """The exact ones have the losses of a CPU's reference."""
    if impl == "triton":
        import_kernels()
    options = {"num_rounds": 2, "refresh": "step", "warm_start": False}
    model = build("crane", data, **options, impl="reference")
    triplets = one_epoch(data)[:3]
    expected, *_ = train(model, data, "cpu", triplets)
    model.item_graph.graph.fusion.rca.impl = impl
    losses, *_ = train(model, data, DEVICE, triplets)
    exact = impl in ("reference", "tiled", "triton")
    torch.testing.assert_close(losses, expected, rtol=1e-3 if exact else 0.05, atol=1e-4)


@pytest.mark.parametrize("preset", ["paper", "baby"])
def test_the_recipe_as_printed_trains(preset, data):
    settings = CRANE.preset(preset).model | {"embedding_dim": 16, "k": 5}
    model = CRANE.from_data(data, **settings)
    result = fit(
        model, copy_to("cpu", data), epochs=1, batch_size=512, device=DEVICE, progress=False
    )
    assert math.isfinite(result.history[0]["loss"])


def test_loss_and_gradients_under_autocast(name, data):
    if name in MULTIPLIES_IN_HALF and DEVICE == "cpu":
        pytest.skip("has a sparse product in half precision, which a CPU lacks")
    model = build(name, data, **SETTINGS.get(name, {})).to(DEVICE).train(name not in RANDOM)
    device_data, batch = copy_to(DEVICE, data), [x.to(DEVICE) for x in one_epoch(data)[0]]
    model.start_epoch(device_data)
    expected = torch.stack([*model.loss(device_data, *batch).values()]).sum().detach()
    model.start_epoch(device_data)
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        loss = torch.stack([x.float() for x in model.loss(device_data, *batch).values()]).sum()
    loss.backward()
    torch.testing.assert_close(loss.detach(), expected, rtol=0.05, atol=0.01)
    for key, parameter in model.named_parameters():
        if parameter.grad is not None:
            assert parameter.grad.isfinite().all(), key
