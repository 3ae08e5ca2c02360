"""Table 5: what each part contributes.

The default leaves two of the paper's parts off, recursion and the contrastive term, since neither
helps on validation. So rows take parts away from the default and add these two to it; with both
added every part is on, and the paper's ``w/o RCA`` and ``w/o CL`` are taken away from that.
"""

from typing import Any, NamedTuple

from benchmarks.paper.job import Job, score_table, tidy

ON: dict[str, Any] = {"num_rounds": 3, "beta": 0.001}
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
        {"dual_fusion": False, "beta": 0.0},
        "CRANE",
        "branches with embeddings and a BPR loss each, scores added up; stopped early together",
    ),
    "with recursion": Row({"num_rounds": ON["num_rounds"]}, "CRANE", "R = 3"),
    "with CL": Row({"beta": ON["beta"]}, "CRANE", "contrastive term, weight 0.001"),
    ALL: Row(ON, "CRANE", "R = 3 and the contrastive term"),
    "w/o RCA": Row(
        ON | {"num_rounds": 1}, ALL, "R = 1: the paper's row disables the recursion, not attention"
    ),
    "w/o CL": Row(ON | {"beta": 0.0}, ALL, "no contrastive term, R = 3"),
}


def run(job: Job) -> None:
    runs = job.train({label: ("crane", row.change) for label, row in ROWS.items()}, job.args.seeds)
    table = score_table(
        runs,
        {label: row.what for label, row in ROWS.items()},
        {label: row.against for label, row in ROWS.items() if row.against},
    )
    notes = (
        "`w/o RCA` is the same training as `with CL`, and `w/o CL` as `with recursion`, "
        f"beside `{ALL}`. Changes with the p-value of a paired t-test over the seeds."
    )
    job.write(f"{job.head(job.args.seeds)}\n\n{table}\n\n{notes}", tidy(runs))
