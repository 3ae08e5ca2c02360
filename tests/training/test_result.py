import pytest

from crane_pyg.training import FitResult


def history(*scores, seconds=1.0):
    """An epoch per score; None where it was not evaluated."""
    return [
        {"epoch": float(epoch), "loss": 1.0, "seconds": seconds * epoch}
        | ({} if score is None else {"Recall@20": score})
        for epoch, score in enumerate(scores, start=1)
    ]


def test_evaluations_are_counted_from_the_best_epoch():
    result = FitResult(history=history(0.1, None, 0.3, None, 0.2, 0.1), best_epoch=3)
    assert result.epochs == 6
    assert result.evaluations_since_best == 2
    assert FitResult(history=history(None, 0.1), best_epoch=2).evaluations_since_best == 0


@pytest.mark.parametrize(
    ("epochs", "patience", "eval_every", "same"),
    [
        (6, 9, 1, True),
        (9, 9, 1, True),  # to be gone on with
        (4, 9, 1, True),  # shorter, but the best epoch is the same
        (3, 9, 1, False),
        (6, 2, 1, False),  # would have stopped after epoch 3
        (6, 3, 1, True),
        (6, 9, 2, False),  # epochs 1, 3 and 5 were evaluated out of turn
    ],
)
def test_whether_a_training_of_another_length_begins_so(epochs, patience, eval_every, same):
    result = FitResult(history=history(0.2, 0.1, 0.1, 0.3, 0.1, 0.1), best_epoch=4)
    assert result.begins(epochs, patience, eval_every) == same


def test_the_last_epoch_is_evaluated_out_of_turn():
    result = FitResult(history=history(None, 0.2, 0.1), best_epoch=2)
    assert result.begins(3, 9, 2)
    assert not result.begins(4, 9, 2)


def test_an_epoch_takes_the_median_of_the_seconds():
    assert FitResult(history=history(0.1, 0.2, 0.3, 0.4)).seconds_per_epoch == pytest.approx(2.5)


def test_the_history_as_a_table():
    frame = FitResult(history=history(0.1, None)).to_frame()
    assert list(frame.index) == [1, 2]
    assert frame["Recall@20"].isna().tolist() == [False, True]
