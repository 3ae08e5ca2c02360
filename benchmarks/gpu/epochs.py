"""An epoch of training, part by part, after an epoch (or some steps of one) to warm up."""

import itertools
import statistics
import time
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch_geometric.data import HeteroData

from benchmarks.gpu.rulers import products_in
from benchmarks.gpu.session import Record, Session
from benchmarks.gpu.timing import Stopwatch, forget
from crane_pyg.experiments import construct_model
from crane_pyg.nn.models import Recommender
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training import TripletSampler, build_optimizer

MODELS: dict[str, tuple[str, dict[str, Any], str]] = {
    "CRANE, Nyström": ("crane", {"impl": "nystrom"}, "float32"),
    "LightGCN": ("lightgcn", {}, "float32"),
    "FREEDOM": ("freedom", {}, "float32"),
    "CRANE": ("crane", {"impl": "auto"}, "float32"),
    "CRANE, TF32": ("crane", {"impl": "auto"}, "tf32"),
}
TRACED = "CRANE"
TRACE = "crane_trace.json.gz"
LARGE = ("CRANE, TF32",)  # at the first of the sizes only
PARTS = ("begin", "sampling", "rebuild", "forward", "backward", "optimizer")


class Trainee:
    """A model in training, step by step as ``fit`` takes them."""

    def __init__(self, session: Session, data: HeteroData, label: str, batch_size: int) -> None:
        model, settings, _ = MODELS[label]
        self.data = data
        self.net: Recommender = construct_model(model, data, settings, 0).to(session.device).train()
        self.optimizer = build_optimizer(self.net, 1e-3)
        edge_index = data[USER_TO_ITEM].edge_index
        self.sampler = TripletSampler(edge_index, data["item"].num_nodes, batch_size)

    def epoch(self, watch: Stopwatch, most: int) -> dict[str, list[float]]:
        """Laps of the beginning and of at most so many steps."""
        watch.start()
        self.net.start_epoch(self.data)
        watch.lap("begin")
        for user, pos, neg in itertools.islice(self.sampler, most):
            watch.lap("sampling")
            self.optimizer.zero_grad()
            terms = self.net.loss(self.data, user, pos, neg)
            loss = torch.stack(list(terms.values())).sum()
            watch.lap("forward")
            torch.autograd.backward(loss)
            watch.lap("backward")
            self.optimizer.step()
            watch.lap("optimizer")
        laps = watch.laps()
        if not torch.isfinite(loss):
            raise ValueError(f"the loss is not finite (got {float(loss)})")
        return laps


def run(session: Session) -> None:
    large = session.sizes.epochs[0]
    for preset, batch_size in session.sizes.epochs:
        data = session.data(preset)
        session.attempt("data", {"preset": preset}, about, session, preset, data)
        for label in MODELS:
            if label not in LARGE or (preset, batch_size) == large:
                labels = {"preset": preset, "model": label, "batch_size": batch_size}
                session.attempt("epochs", labels, measure, session, data, label, batch_size)
        if (preset, batch_size) == large:
            labels = {"preset": preset, "model": TRACED, "batch_size": batch_size}
            session.attempt("trace", labels, trace, session, data, batch_size)
        del data
        forget(session.device)


def about(session: Session, preset: str, data: HeteroData) -> Record:
    return {"draw_s": session.drawing.seconds[preset], "data_mb": size_mb(data)}


def size_mb(data: HeteroData) -> float:
    tensors = (x for store in data.stores for x in store.values() if isinstance(x, torch.Tensor))
    return sum(x.nbytes for x in tensors) / 2**20


def measure(session: Session, data: HeteroData, label: str, batch_size: int) -> Record:
    device, sizes = session.device, session.sizes
    forget(device)
    watch = Stopwatch(device)
    with products_in(MODELS[label][2]):
        watch.start()
        trainee = Trainee(session, data, label, batch_size)
        watch.lap("build")
        built = watch.laps()["build"][0]
        warm = sum(map(sum, trainee.epoch(Stopwatch(device), sizes.warm_steps).values()))
        forget(device)
        laps = trainee.epoch(Stopwatch(device), sizes.steps)
    record = seconds_by_part(laps, len(trainee.sampler))
    if device.type == "cuda":
        record["peak_mb"] = torch.cuda.max_memory_allocated(device) / 2**20
    return record | {"build_s": built, "warm_up_s": warm}


def seconds_by_part(laps: dict[str, list[float]], steps: int) -> Record:
    """Of a whole epoch, its later steps extrapolated where not all were taken.

    What the first step takes beyond the median of the others, forward and backward, is the
    rebuilding of the item graph (and of all else that an epoch builds anew).
    """
    taken = len(laps["forward"])
    record: Record = {"steps": steps, "steps_taken": taken, "extrapolated": taken < steps}
    parts = {"begin": sum(laps["begin"]), "rebuild": 0.0}
    medians = {}
    for name in ("sampling", "forward", "backward", "optimizer"):
        first, *later = laps[name]
        medians[name] = statistics.median(later or [first])
        whole = sum(later) if taken == steps else medians[name] * (steps - 1)
        if name in ("forward", "backward"):
            parts["rebuild"] += max(first - medians[name], 0.0)
            first = min(first, medians[name])
        parts[name] = first + whole
    record |= {f"{name}_s": parts[name] for name in PARTS}
    return record | {"epoch_s": sum(parts.values()), "step_s": sum(medians.values())}


def trace(session: Session, data: HeteroData, batch_size: int) -> Record:
    """The beginning of an epoch under the profiler, kept for chrome://tracing."""
    device = session.device
    trainee = Trainee(session, data, TRACED, batch_size)
    trainee.epoch(Stopwatch(device), 2)
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    start = time.perf_counter()
    with profile(activities=activities) as profiler:
        trainee.epoch(Stopwatch(device), session.sizes.traced_steps)
        wall = time.perf_counter() - start
    path = session.folder / TRACE
    profiler.export_chrome_trace(str(path))
    record = {"file": path.name, "file_mb": path.stat().st_size / 2**20, "wall_ms": 1e3 * wall}
    return record | busiest(profiler, device)


def busiest(profiler: profile, device: torch.device) -> Record:
    """Milliseconds of the kernels that take most, by name, and of all; of operations on a CPU."""
    events, key = list(profiler.key_averages()), "self_cpu_time_total"
    if device.type == "cuda":
        key = "self_device_time_total"
        events = [event for event in events if event.device_type == DeviceType.CUDA]
    spent = {event.key: getattr(event, key) / 1e3 for event in events}
    top = sorted(spent, key=lambda name: -spent[name])[:15]
    return {"top_ms": {name[:80]: spent[name] for name in top}, "busy_ms": sum(spent.values())}
