"""One run of the command: what it measures goes line by line into a file, mistakes included."""

import copy
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import HeteroData

from benchmarks.gpu.drawing import Drawing
from benchmarks.gpu.sizes import Sizes

Record = dict[str, Any]


class ContextLost(RuntimeError):
    """A kernel left the device unusable for this process."""


class Session:
    """Where measurements go and what they share.

    ``gpu.jsonl`` gets a line for each as soon as it is there, so that a run that is cut off leaves
    all that it measured.
    """

    def __init__(self, folder: Path, device: torch.device, sizes: Sizes, drawing: Drawing) -> None:
        self.folder, self.device, self.sizes, self.drawing = folder, device, sizes, drawing
        self.path = folder / "gpu.jsonl"
        self.deadline = math.inf
        # Those of the run that this one goes on with, whose parts may not be whole.
        self.records = [
            record
            for record in read(self.path)
            if "skipped" not in record and record["part"] != "part"
        ]
        self.path.write_text("".join(json.dumps(record) + "\n" for record in self.records))

    @property
    def rehearsal(self) -> bool:
        return self.device.type != "cuda"

    @property
    def rates(self) -> dict[str, float]:
        """Of the rulers, by name: operations, bytes and tanh a second."""
        rulers = (record for record in self.records if record["part"] == "rulers")
        return {record["ruler"]: record["rate"] for record in rulers if "rate" in record}

    def data(self, preset: str) -> HeteroData:
        """On the device; what is drawn stays on the CPU."""
        return copy.copy(self.drawing.data(preset)).to(self.device)  # `to` is in place

    def add(self, record: Record) -> None:
        record = {"device": device_name(self.device), **record}
        self.records.append(record)
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def attempt(
        self, part: str, labels: Record, work: Callable[..., Record | None], *args: Any
    ) -> None:
        """A line of what ``work(*args)`` measures, or why it was not; nothing if there is one.

        Raises:
            ContextLost: where nothing else can be measured in this process.
        """
        labels = {"part": part, **labels}
        if any(labels.items() <= record.items() for record in self.records):
            return
        words = " ".join(str(value) for value in labels.values())
        if time.monotonic() > self.deadline:
            self.add({**labels, "skipped": "out of time"})
            print(f"{words}: skipped, out of time", flush=True)
            return
        start = time.monotonic()
        try:
            fields = work(*args) or {}
        except ContextLost:
            raise
        except Exception as error:
            line = " ".join(f"{type(error).__name__}: {error}".split())[:400]
            self.add({**labels, "error": line})
            print(f"{words}: {line}", flush=True)
            self._check_context()
            return
        record = {**labels, **fields, "measured_s": time.monotonic() - start}
        self.add(record)
        print(f"{words}: {record['measured_s']:.1f} s", flush=True)

    def _check_context(self) -> None:
        if self.device.type == "cuda":
            try:
                torch.cuda.synchronize()
                torch.cuda.empty_cache()
            except RuntimeError as error:
                raise ContextLost(str(error)) from error


def read(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
