from crane_pyg.experiments.forecast import Forecast


def test_it_says_what_begins():
    announced = Forecast(["a", "b"]).announce(5, 250)
    assert announced.startswith("5 runs of at most 250 epochs, 3 of them done; fewer models")
    assert "of them done" not in Forecast(["a"]).announce(1, 9)


def test_a_label_not_timed_yet_is_like_the_others():
    forecast = Forecast(["a", "b", "c", "a", "b", "c"])
    forecast.begin("a")
    assert forecast.note("a", 60.0) == "took 01:00; about 05:00 left for the other 5"
    forecast.begin("b")
    assert forecast.note("b", 120.0) == "took 02:00; about 06:00 left for the other 4"
    forecast.begin("c")
    forecast.begin("a")
    assert forecast.note("a", 30.0) == "took 00:30; about 03:22 left for the other 2"
    for label in ("b", "c"):
        forecast.begin(label)
    assert forecast.note("c", 1.0) == "took 00:01"


def test_a_run_that_is_trained_again_was_not_expected():
    forecast = Forecast(["b"])
    forecast.begin("a")
    assert forecast.note("a", 5.0) == "took 00:05; about 00:05 left for the other 1"
