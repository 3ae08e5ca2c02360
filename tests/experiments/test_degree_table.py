from crane_pyg.experiments import degree_range, markdown_by_degree


def run(model, seed, low, high):
    ends = [{"min_degree": 1, "max_degree": 1}, {"min_degree": 2, "max_degree": 9}]
    user = [end | {"users": 1200, "Recall@20": x} for end, x in zip(ends, (low, high))]
    item = [ends[1] | {"pairs": 7, "Recall@20": low}]
    return {"model": model, "seed": seed, "by_degree": {"user": user, "item": item}}


def test_a_range_of_degrees():
    assert degree_range({"min_degree": 3, "max_degree": 7}) == "3-7"
    assert degree_range({"min_degree": 0, "max_degree": 0}) == "0"


def test_means_over_the_seeds():
    runs = [run("crane", 0, 0.1, 0.2), run("crane", 1, 0.3, 0.2), run("bpr", 0, 0.5, 0.25)]
    failed = {"model": "vbpr", "seed": 0, "error": "no features"}
    assert markdown_by_degree([failed, *runs]) == (
        "Recall@20 by the user's training interactions (and the number of users):\n\n"
        "| model | 1 (1,200) | 2-9 (1,200) |\n"
        "| ----- | --------- | ----------- |\n"
        "| CRANE | 0.2000    | 0.2000      |\n"
        "| BPR   | 0.5000    | 0.2500      |\n\n"
        "Recall@20 by the item's training interactions (and the number of pairs):\n\n"
        "| model | 2-9 (7) |\n"
        "| ----- | ------- |\n"
        "| CRANE | 0.2000  |\n"
        "| BPR   | 0.5000  |\n"
    )
    assert markdown_by_degree([failed]) == ""
