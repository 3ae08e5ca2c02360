import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from crane_pyg.experiments import markdown_comparison, mean_and_sd, paired_p_value, summarise_runs

SCORES = {
    "bpr": [0.10, 0.12, 0.11],
    "crane": [0.30, 0.36, 0.33],
    "lightgcn": [0.28, 0.33, 0.29],
}


def run(model, seed, score, seconds=1.0, megabytes=100.0):
    """Recall is the score, NDCG the other way round."""
    test = {f"Recall@{k}": score for k in (10, 20)} | {f"NDCG@{k}": 1 - score for k in (10, 20)}
    costs = {"seconds_per_epoch": seconds, "peak_memory_mb": megabytes, "parameters": 12345}
    return {"model": model, "seed": seed, "test": test, **costs}


RUNS = [
    run(model, seed, score, seconds=10 ** (seed - 2), megabytes=100 + seed)
    for model, scores in SCORES.items()
    for seed, score in enumerate(scores)
]


def row(table, name):
    (line,) = (line for line in table.splitlines() if line.startswith(f"| {name} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_mean_and_sd():
    assert mean_and_sd(pd.Series([0.1, 0.2, 0.3])) == "0.2000 ± 0.1000"
    assert mean_and_sd(pd.Series([0.1])) == "0.1000"


def test_the_best_is_bold_and_the_second_underlined():
    scores, _, p_values = markdown_comparison(RUNS).split("\n\n")
    recall, ndcg = "0.3300 ± 0.0300", "0.6700 ± 0.0300"
    costs = ["0.1", "102", "12,345"]
    assert row(scores, "CRANE") == ["CRANE", "3", *[f"**{recall}**"] * 2, *[ndcg] * 2, *costs]
    second = ["<u>0.3000 ± 0.0265</u>"] * 2 + ["<u>0.7000 ± 0.0265</u>"] * 2
    assert row(scores, "LightGCN")[2:6] == second
    assert row(scores, "BPR")[2:6] == ["0.1100 ± 0.0100"] * 2 + ["**0.8900 ± 0.0100**"] * 2
    assert row(p_values, "CRANE")[1:3] == ["best", "best"]
    assert row(p_values, "BPR")[3:] == ["best", "best"]


def test_p_values_are_those_of_a_paired_t_test():
    table = summarise_runs(RUNS).set_index(["metric", "model"])["p_value"]
    expected = ttest_rel(SCORES["crane"], SCORES["lightgcn"]).pvalue
    assert table["Recall@20", "lightgcn"] == pytest.approx(expected)
    assert np.isnan(table["Recall@20", "crane"])
    p_values = markdown_comparison(RUNS).split("\n\n")[2]
    assert row(p_values, "LightGCN")[1] == f"{expected:.2g}" == "0.035"


def test_seeds_are_paired_by_name():
    ours = pd.Series({9: 0.30, 672: 0.36, 2023: 0.33})
    theirs = pd.Series({2023: 0.29, 9: 0.28, 672: 0.33, 5: 0.9})
    expected = ttest_rel([0.30, 0.36, 0.33], [0.28, 0.33, 0.29]).pvalue
    assert paired_p_value(ours, theirs) == pytest.approx(expected)
    assert np.isnan(paired_p_value(ours.iloc[:1], theirs))
    assert np.isnan(paired_p_value(ours, ours))
    assert np.isnan(paired_p_value(ours, ours - 0.1))  # models without anything random


def test_what_all_runs_have_is_in_the_table_and_little_popularity_is_best():
    popularity = {"bpr": 3.0, "crane": 1.0, "lightgcn": 2.0}
    runs = [
        run | {"test": run["test"] | {"Popularity@20": popularity[run["model"]] + run["seed"]}}
        for run in RUNS
    ]
    table = summarise_runs(runs).set_index(["metric", "model"])["rank"]
    assert table["Popularity@20"].to_dict() == {"crane": 1, "lightgcn": 2, "bpr": 3}
    scores, _, p_values = markdown_comparison(runs).split("\n\n")
    assert row(scores, "CRANE")[6] == "**2.0000 ± 1.0000**"
    assert row(scores, "LightGCN")[6] == "<u>3.0000 ± 1.0000</u>"
    assert row(p_values, "model")[5] == "Popularity@20"
    assert "Popularity" not in markdown_comparison([*runs[:-1], RUNS[-1]])


def test_one_seed_has_neither_deviation_nor_p_value():
    scores, _, p_values = markdown_comparison([r for r in RUNS if r["seed"] == 0]).split("\n\n")
    assert row(scores, "CRANE")[1:3] == ["1", "**0.3000**"]
    assert row(p_values, "LightGCN") == ["LightGCN", "", "", "", ""]


def test_failures_are_named_and_not_counted():
    failed = [{"model": "vbpr", "seed": seed, "error": "no features"} for seed in range(3)]
    runs = [*RUNS[:-1], {"model": "lightgcn", "seed": 2, "error": "not finite"}, *failed]
    scores, _, p_values, _, failures = markdown_comparison(runs).strip().split("\n\n")
    assert row(scores, "VBPR") == ["VBPR", "0 of 3", *["failed"] * 4, "", "", ""]
    assert row(scores, "LightGCN")[1:3] == ["2 of 3", "<u>0.3050 ± 0.0354</u>"]
    assert "VBPR" not in p_values
    assert failures.splitlines() == [
        "- LightGCN, seed 2: not finite",
        "- VBPR, seed 0, 1, 2: no features",
    ]
    assert row(markdown_comparison(failed), "VBPR")[2] == "failed"


def test_a_label_names_a_row():
    first = [{"label": "CRANE-V", **run("crane", seed, 0.2)} for seed in range(2)]
    second = [{"label": "CRANE-T", "model": "crane", "seed": 0, "error": "no text"}]
    table = markdown_comparison([*first, *RUNS, *second])
    assert row(table.split("\n\n")[0], "CRANE-V")[1:3] == ["2", "0.2000 ± 0.0000"]
    assert row(table.split("\n\n")[0], "CRANE-T")[1] == "0 of 1"
    assert table.endswith("- CRANE-T, seed 0: no text\n")


def test_the_summary_is_tidy():
    table = summarise_runs(RUNS)
    assert list(table) == ["model", "metric", "value", "sd", "seeds", "rank", "p_value"]
    assert not table.duplicated(["model", "metric"]).any()
    costs = table[table["model"] == "bpr"].set_index("metric")["value"]
    assert costs["seconds_per_epoch"] == pytest.approx(0.1)
    assert costs["peak_memory_mb"] == 102
