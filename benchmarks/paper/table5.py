"""Table 5: what each part contributes.

The default has parts that the paper has not, the residual and the spectral start, and leaves three
of the paper's off, recursion, the users' semantic part and the contrastive term, since none helps
on validation. So rows take parts away from the default and add these to it; with all added every
part is on, and the paper's ``w/o RCA`` and ``w/o CL`` are taken away from that. A part that the
settings in use lack already has no row.
"""

from typing import Any, NamedTuple

from benchmarks.paper.job import Job, score_table, tidy
from crane_pyg.experiments.settings import settings_with_defaults

CL = {"beta": 0.001, "semantic_profile": "sqrt"}  # between what users are and what they like
ON: dict[str, Any] = {"num_rounds": 3} | CL
ALL = "every part on"


class Row(NamedTuple):
    change: dict[str, Any]
    against: str
    what: str


ROWS = {
    "CRANE": Row({}, "", "the settings of table3, `here`"),
    "w/o item graph": Row({"fusion": None}, "CRANE", "the user-item graph alone"),
    "w/o attention": Row(
        {"fusion": "projected"}, "CRANE", "projected modalities concatenated in the place of RCA"
    ),
    "raw features": Row({"fusion": "concat"}, "CRANE", "raw features concatenated, no projection"),
    "w/o centring": Row({"center": False}, "CRANE", "features as they are; not in the paper"),
    "w/o GCN": Row(
        {"num_layers": 0, "num_item_layers": 0},
        "CRANE",
        "no layer on either graph: e and h of an item are its embedding, h of a user their profile",
    ),
    "w/o dual fusion": Row(
        {"dual_fusion": False, "beta": 0.0, "semantic_profile": "sqrt"},
        "CRANE",
        "branches with embeddings and a ranking loss each, scores added up; stopped early together",
    ),
    "w/o residual": Row({"residual": None}, "CRANE", "no local EASE mixed in; not in the paper"),
    "w/o spectral start": Row(
        {"spectral_start": False}, "CRANE", "random embeddings to begin with"
    ),
    "BPR": Row(
        {"ranking": "bpr", "l2": 1e-3, "lr": 1e-3, "patience": 20},
        "CRANE",
        "inner products under the paper's ranking loss",
    ),
    "with recursion": Row({"num_rounds": ON["num_rounds"]}, "CRANE", "R = 3"),
    "users' semantics": Row(
        {"semantic_profile": "sqrt"}, "CRANE", "eq. 16, which the default leaves out"
    ),
    "w/o thinning": Row({"drop_edge": None}, "CRANE", "no edge dropped in training"),
    "with CL": Row(CL, "users' semantics", "contrastive term, weight 0.001"),
    ALL: Row(ON, "CRANE", "R = 3 and the contrastive term"),
    "w/o RCA": Row(
        ON | {"num_rounds": 1}, ALL, "R = 1: the paper's row disables the recursion, not attention"
    ),
    "w/o CL": Row(ON | {"beta": 0.0}, ALL, "no contrastive term, R = 3, users' semantics"),
}


def run(job: Job) -> None:
    rows = {label: row for label, row in ROWS.items() if label == "CRANE" or changes(job, row)}
    runs = job.train({label: ("crane", row.change) for label, row in rows.items()}, job.args.seeds)
    table = score_table(
        runs,
        {label: row.what for label, row in rows.items()},
        {label: row.against for label, row in rows.items() if row.against},
    )
    notes = (
        "`w/o RCA` is the same training as `with CL`, and `w/o CL` as `with recursion`, "
        f"beside `{ALL}`. Changes with the p-value of a paired t-test over the seeds."
    )
    job.write(f"{job.head(job.args.seeds)}\n\n{table}\n\n{notes}", tidy(runs))


def changes(job: Job, row: Row) -> bool:
    """Whether a row differs from the settings in use, which may lack a part already."""
    base = settings_with_defaults("crane", job.settings("crane"))
    return any(base[name] != value for name, value in row.change.items())
