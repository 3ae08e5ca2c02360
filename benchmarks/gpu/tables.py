"""Tables for people, from the lines of ``gpu.jsonl``."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from benchmarks.gpu.session import Record
from crane_pyg.experiments import markdown_table

Form = str | Callable[[Any], str]
RATE = "{:,.1f}"
PERCENT = "{:.0%}"

ATTENTION: dict[str, tuple[str, Form]] = {
    "impl": ("impl", "{}"),
    "precision": ("precision", "{}"),
    "d": ("d", "{}"),
    "n": ("n", "{:,}"),
    "heads": ("heads", "{}"),
    "forward_s": ("forward ms", lambda s: f"{1e3 * s:,.3g}"),
    "forward_tflops": ("TFLOP/s", RATE),
    "forward_of_products": ("of products", PERCENT),
    "forward_of_limit": ("of limit", PERCENT),
    "training_s": ("with backward ms", lambda s: f"{1e3 * s:,.3g}"),
    "training_tflops": ("TFLOP/s ", RATE),
    "training_of_products": ("of products ", PERCENT),
    "training_of_limit": ("of limit ", PERCENT),
    "training_of_two_passes": ("of two passes", PERCENT),
    "relative_error": ("error", "{:.1e}"),
    "error_to_torch": ("to torch", "{:.3g}"),
    "forward_first_s": ("first s", "{:.1f}"),
    "training_first_s": ("first s ", "{:.1f}"),
    "training_peak_mb": ("peak MB", "{:,.0f}"),
}
SPARSE: dict[str, tuple[str, Form]] = {
    "preset": ("graph", "{}"),
    "entries": ("entries", "{:,}"),
    "method": ("product", "{}"),
    "dtype": ("dtype", "{}"),
    "forward_s": ("forward ms", lambda s: f"{1e3 * s:.3f}"),
    "forward_gb_s": ("GB/s", "{:,.0f}"),
    "forward_of_copy": ("of copy", PERCENT),
    "forward_of_fewest": ("of fewest bytes", PERCENT),
    "training_s": ("with backward ms", lambda s: f"{1e3 * s:.3f}"),
    "training_gb_s": ("GB/s ", "{:,.0f}"),
    "training_of_copy": ("of copy ", PERCENT),
    "training_of_fewest": ("of fewest bytes ", PERCENT),
    "training_peak_mb": ("peak MB", "{:,.0f}"),
}
EPOCHS: dict[str, tuple[str, Form]] = {
    "preset": ("set", "{}"),
    "model": ("model", "{}"),
    "batch_size": ("batch", "{:,}"),
    "steps": ("steps", "{:,}"),
    "extrapolated": ("measured", lambda x: "in part" if x else "whole"),
    "epoch_s": ("epoch s", "{:.2f}"),
    "begin_s": ("begin", "{:.2f}"),
    "sampling_s": ("sampling", "{:.2f}"),
    "rebuild_s": ("rebuild", "{:.2f}"),
    "forward_s": ("forward", "{:.2f}"),
    "backward_s": ("backward", "{:.2f}"),
    "optimizer_s": ("optimizer", "{:.2f}"),
    "step_s": ("step ms", lambda s: f"{1e3 * s:.2f}"),
    "peak_mb": ("peak MB", "{:,.0f}"),
    "build_s": ("build s", "{:.1f}"),
    "warm_up_s": ("warm-up s", "{:.1f}"),
}
NOTES = {
    "attention": "Counted are 4 n² d operations forward and 14 n² d with backward, also for who "
    "does more. The limit is the longer of the matrix products at the rate above (in float32 at a "
    "sixth of bfloat16's, if that is more: six such products are as accurate) and of one tanh a "
    "pair forward, two with backward, at the units' rate; *two passes* is that of the 18 n² d and "
    "three tanh which a deterministic backward in two passes does. The error is that of 512 rows "
    "against float64, *to torch* its ratio to plain PyTorch's. *First* calls compile what was not "
    "compiled ahead. Times are the device's, behind a gigabyte written to empty its "
    "cache and to hide how long it takes to launch.",
    "rivals": "Softmax attention of the same shape, by the same counts: it does more for a pair.",
    "sparse": "All edges in both directions between users and items, 64 channels, from a cold "
    "cache. GB/s count a row of x gathered for every entry, which a cache may beat; *fewest bytes* "
    "counts each row once, at the bandwidth of a copy.",
    "epochs": "Seconds of an epoch by its parts, on the device's stream; *rebuild* is what the "
    "first step takes beyond the others. *Peak* holds the data too. An epoch measured in part is "
    "extrapolated from the median of its steps, and its first.",
}


def report(records: Sequence[Record]) -> str:
    """Markdown; what was not measured is listed in the end, with the reason."""
    parts = ["# On the GPU", *machine(records), *rulers(records)]
    for part, title, columns in (
        ("attention", "Exact attention", ATTENTION),
        ("rivals", "Rivals", ATTENTION),
        ("approximate", "Approximate attention", ATTENTION),
        ("sparse", "Sparse products", SPARSE),
        ("epochs", "Epochs", EPOCHS),
    ):
        lines = measured(records, part)
        if lines:
            note = [NOTES[part]] if part in NOTES else []
            parts += [f"## {title}", *note, table(lines, columns)]
        if part == "attention":
            parts += shapes(lines)
    parts += [*busiest(records), *usage(records), *missing(records)]
    return "\n\n".join(parts) + "\n"


def measured(records: Iterable[Record], part: str) -> list[Record]:
    return [r for r in records if r["part"] == part and not {"error", "skipped"} & r.keys()]


def table(records: Sequence[Record], columns: dict[str, tuple[str, Form]]) -> str:
    """Columns that no record has are left out."""
    rows = []
    for record in records:
        cells = {}
        for key, (name, form) in columns.items():
            value = record.get(key)
            text = form.format if isinstance(form, str) else form
            cells[name] = "" if value is None else text(value)
        rows.append(cells)
    frame = pd.DataFrame(rows)
    return markdown_table(frame.loc[:, (frame != "").any()])


def machine(records: Sequence[Record]) -> list[str]:
    lines, hidden = measured(records, "machine"), ("part", "measured_s")
    return [", ".join(f"{k} {v}" for k, v in lines[0].items() if k not in hidden)] if lines else []


def rulers(records: Sequence[Record]) -> list[str]:
    rows = []
    for record in measured(records, "rulers"):
        name, rate = record["ruler"], record["rate"]
        if name == "copy":
            value = f"{rate / 1e9:,.0f} GB/s, read and written"
        elif "tanh" in name:
            value = f"{rate / 1e12:.2f} T/s, counted, {record['clock_mhz']:.0f} MHz"
            value += f" by {record['clock_from']}"
        else:
            value = f"{rate / 1e12:,.3g} TFLOP/s, {record['size']} cubed"
        rows.append({"ruler": name, "rate": value})
    return ["## Rulers", markdown_table(pd.DataFrame(rows))] if rows else []


def shapes(records: Sequence[Record]) -> list[str]:
    """Rows kept, rows streamed, warps and stages of each pass."""
    chosen = {
        (r["impl"], r["precision"], r["d"], kernel): shape
        for r in records
        for kernel, shape in r.get("tiles", {}).items()
    }
    if not chosen:
        return []
    rows = [
        {"impl": impl, "precision": precision, "d": d, "pass": kernel, "tile": shape}
        for (impl, precision, d, kernel), shape in chosen.items()
    ]
    return ["### Tiles", markdown_table(pd.DataFrame(rows))]


def busiest(records: Sequence[Record]) -> list[str]:
    parts = []
    for record in measured(records, "trace"):
        rows = [{"kernel": k, "ms": f"{v:.2f}"} for k, v in record["top_ms"].items()]
        title = f"## Busiest kernels of the traced steps ({record['file']})"
        words = f"Kernels ran {record['busy_ms']:,.0f} of {record['wall_ms']:,.0f} ms."
        parts += [title, words, markdown_table(pd.DataFrame(rows))]
    return parts


def usage(records: Sequence[Record]) -> list[str]:
    parts = []
    for record in measured(records, "evaluation"):
        words = f"{record['users']:,} users, {record['items']:,} items: "
        words += f"{record['evaluation_s']:.2f} s (first {record['first_s']:.2f} s)"
        parts += ["## Evaluation", words]
    for record in measured(records, "example"):
        lines = "\n".join(record["lines"])
        title = f"## `{record['command']}`, {record['example_s']:.0f} s in all"
        parts += [title, f"```\n{lines}\n```"]
    return parts


def missing(records: Sequence[Record]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for record in records:
        if reason := record.get("error", record.get("skipped")):
            known = ("device", "error", "skipped")
            words = " ".join(str(v) for k, v in record.items() if k not in known)
            reasons.setdefault(reason, []).append(words)
    lines = [f"- {reason}: {'; '.join(words)}" for reason, words in reasons.items()]
    return ["## Not measured", "\n".join(lines)] if lines else []
