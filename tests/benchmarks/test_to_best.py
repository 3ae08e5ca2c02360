from benchmarks import sweep, to_best


def test_seconds_to_the_best_epoch_leave_patience_out(monkeypatch, tmp_path, capsys):
    path = tmp_path / "to_best.jsonl"
    monkeypatch.setattr(
        to_best, "RIVALS", {name: to_best.RIVALS[name] for name in ("CRANE", "EASE")}
    )
    patient = to_best.complete_settings
    monkeypatch.setattr(
        to_best,
        "complete_settings",
        lambda *args, **kwargs: patient(*args, **kwargs) | {"patience": 2},
    )
    for _ in range(2):  # what is there is not run again
        to_best.main(["tiny", "--seeds", "0", "--out", str(path)])
    rows = sweep.read(path)
    assert [row["model"] for row in rows] == ["CRANE", "EASE"]
    crane, ease = rows
    assert crane["epochs"] > crane["best_epoch"]
    assert crane["seconds"] < crane["seconds_with_patience"]
    assert ease["seconds"] == ease["seconds_with_patience"] < crane["seconds"]
    assert "1.00 of CRANE's" in capsys.readouterr().out
    assert len(crane["curve"]) == crane["epochs"]
    assert crane["curve"] == sorted(crane["curve"], key=lambda point: point[0])


def test_seconds_until_it_is_as_good_as_the_preset_at_its_best():
    def row(model, seed, *curve):
        return {"model": model, "seed": seed, "curve": curve}

    rows = [
        row("CRANE", 0, (1, 0.1), (2, 0.3), (3, 0.2)),
        row("CRANE, preset bpr", 0, (5, 0.15), (9, 0.1)),
        row("CRANE", 1, (1, 0.1)),
        row("CRANE, preset bpr", 1, (5, 0.2)),
        row("CRANE", 2, (1, 0.1)),
        {"model": "EASE", "seed": 0},
    ]
    assert to_best.seconds_to_match(rows) == [2, float("inf")]
