from benchmarks.paper.figure7 import announcement, predicted, too_much


def test_figure7_says_what_it_begins_with_and_how_long_a_size_may_take():
    said = announcement(["baby", "electronics"], 600)
    assert said.startswith("3 models are measured at 2 sizes")
    assert "electronics with 255,404 entities; --sizes baby, or a --limit below 600 s" in said
    points = [{"model": "FREEDOM", "size": "baby", "measured_s": 10.0}]
    seconds = 10 * (255_404 / 26_495) ** 2
    assert predicted("FREEDOM", "electronics", points) == f", {seconds:.0f} s at most"
    assert predicted("CRANE, exact", "electronics", points) == ""
    assert too_much("FREEDOM", "sports", points, 5.0) == "more than 5 s are predicted"
