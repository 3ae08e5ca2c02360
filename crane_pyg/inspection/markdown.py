"""An inspection as Markdown, for people."""

from collections.abc import Iterable, Iterator, Sequence

from crane_pyg.inspection.features import Modality
from crane_pyg.inspection.inspect import Inspection
from crane_pyg.inspection.interactions import Degrees, InteractionCounts


def to_markdown(inspection: Inspection) -> str:
    """Writes sections with tables; what is wrong comes first."""
    return "\n".join(_lines(inspection)) + "\n"


def _lines(inspection: Inspection) -> Iterator[str]:
    yield f"# {inspection.name}"
    for title, texts in (("Errors", inspection.errors), ("Warnings", inspection.warnings)):
        if texts:
            yield from ("", f"## {title}", "", *(f"- {text}" for text in texts))
    if not inspection.errors and not inspection.warnings:
        yield from ("", "Nothing is wrong, nothing unusual.")
    if inspection.interactions is not None:
        yield from _interactions(inspection.interactions)
    if inspection.modalities:
        yield from ("", "## Features", "")
        columns = [_modality(modality) for modality in inspection.modalities.values()]
        rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
        yield from _table(["", *inspection.modalities], rows)
        yield ""
        counts = [[names, f"{count:,}"] for names, count in inspection.overlap.items()]
        yield from _table(["items with", "count"], counts)


def _interactions(interactions: InteractionCounts) -> Iterator[str]:
    user, item = interactions.user, interactions.item
    yield from ("", "## Interactions", "")
    yield (
        f"{user.count + user.unused:,} users, {item.count + item.unused:,} items, "
        f"{interactions.distinct:,} distinct pairs in {interactions.rows:,} rows; density "
        f"{interactions.density:.3%}."
    )
    yield ""
    head = ["split", "pairs", "users", "without training", "items", "without training"]
    rows = [
        [name, *(f"{n:,}" for n in (x.interactions, x.users, x.cold_users, x.items, x.cold_items))]
        for name, x in interactions.splits.items()
    ]
    yield from _table(head, rows)
    yield ""
    quantiles = [*(user.quantiles or item.quantiles)]
    head = ["pairs of", "mean", *quantiles, "Gini", "share of top 1%"]
    yield from _table(head, [_degrees("a user", user), _degrees("an item", item)])


def _degrees(name: str, degrees: Degrees) -> list[str]:
    quantiles = [f"{value:.4g}" for value in degrees.quantiles.values()]
    ends = [f"{degrees.gini:.2f}", f"{degrees.top_share:.1%}"]
    return [name, f"{degrees.mean:.1f}", *quantiles, *ends]


def _modality(x: Modality) -> dict[str, str]:
    agreement = x.agreement
    return {
        "shape": f"{x.rows:,} x {x.channels:,}",
        "dtype": x.dtype,
        "items that have it": f"{x.present:,} ({x.present / max(1, x.rows):.1%})",
        "norm (5%, median, 95%)": ", ".join(
            f"{x.norms[q]:.3g}" for q in ("5%", "50%", "95%") if x.norms
        ),
        "constant rows": f"{x.constant:,}",
        "repeated rows": f"{x.repeated:,}",
        "dead channels": f"{x.dead:,}",
        "cosine of two items of one user, centred": f"{agreement.same:.3f}" if agreement else "",
        "by chance": f"{agreement.chance:.3f}" if agreement else "",
        "difference, in deviations of chance": f"{agreement.z:.0f}" if agreement else "",
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
