import json
import re

import pytest
import torch

from crane_pyg.choices import options_of
from crane_pyg.cli import options
from crane_pyg.cli.parser import Parser
from crane_pyg.training.evaluation import EvaluationProtocol, Monitor


def parse(*argv):
    parser = Parser(prog="test")
    options.add_data(parser)
    options.add_protocol(parser)
    options.add_measures(parser)
    options.add_settings_file(parser)
    options.add_settings(parser)
    options.add_training(parser)
    return parser.parse_args(["tiny", *argv])


def test_the_last_one_wins_and_what_is_not_given_is_not_there(tmp_path):
    files = []
    for number, settings in enumerate([{"lr": 0.1, "embedding_dim": 8}, {"lr": 0.2, "epochs": 3}]):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps({"bpr": settings}))
    argv = [word for file in files for word in ("--settings", str(file))]
    assert options.given(parse(), "bpr") == {}
    assert options.given(parse(*argv), "bpr") == {"lr": 0.2, "embedding_dim": 8, "epochs": 3}
    argv += ["--set", "embedding_dim=4", "--set", "lr=0.3"]
    assert options.given(parse(*argv), "bpr") == {"lr": 0.3, "embedding_dim": 4, "epochs": 3}
    argv += ["--lr", "0.4", "--eval-every", "2", "--monitor", "NDCG@10"]
    expected = {"lr": 0.4, "embedding_dim": 4, "epochs": 3, "eval_every": 2, "monitor": "NDCG@10"}
    assert options.given(parse(*argv), "bpr") == expected


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("k=3", 3),
        ("fusion=null", None),
        ("act=relu", "relu"),
        ("x=[1, 2]", [1, 2]),
        ("x=a=b", "a=b"),
    ],
)
def test_a_value_is_json_or_a_plain_word(word, value):
    assert [*options.given(parse("--set", word), "crane").values()] == [value]


def test_metrics_come_beside_those_that_are_always_measured(capsys):
    assert options.metrics(parse()) == ["Recall", "NDCG"]
    assert options.metrics(parse("--metrics", "MRR,Recall,MAP")) == ["Recall", "NDCG", "MRR", "MAP"]
    with pytest.raises(SystemExit):
        parse("--metrics", "MRR@20")
    (line,) = capsys.readouterr().err.splitlines()
    assert "choose among Recall, NDCG, Precision, " in line
    assert "(got 'MRR@20')" in line


@pytest.mark.parametrize(
    ("option", "choices"), [("--protocol", EvaluationProtocol), ("--monitor", Monitor)]
)
def test_a_closed_set_is_that_of_its_type(capsys, option, choices):
    for choice in options_of(choices):
        assert getattr(parse(option, choice), option.strip("-")) == choice
    with pytest.raises(SystemExit) as stop:
        parse(option, "other")
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert all(choice in line for choice in options_of(choices))


def test_help_tells_each_default_once():
    parser = Parser(prog="test")
    parser.add_argument("--size", type=int, default=0, help="how large")
    parser.add_argument("--name", help="how called (default: the folder's)")
    parser.add_argument("--fast", action="store_true", help="in a hurry")
    parser.add_argument("--set", action="append", default=[], help="a setting")
    lines = [" ".join(line.split()) for line in parser.format_help().splitlines()]
    assert "--size SIZE how large (default: 0)" in lines
    assert "--name NAME how called (default: the folder's)" in lines
    assert "--fast in a hurry" in lines
    assert "--set SET a setting" in lines


def test_a_device_must_be_here():
    assert options.device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="--device must name one that is here .got 'abacus'"):
        options.device("abacus")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must be JSON (got: Expecting property name"),
        ("[]", "must hold a JSON object (got [])"),
        ('{"crane": {}}', "must have settings of bpr (got ['crane'])"),
        ('{"bpr": 3}', "must have settings by model (got 3 for 'bpr')"),
        ('{"bpr": {"jam": 3}}', "bpr has the settings"),
    ],
)
def test_a_settings_file_is_read_with_care(tmp_path, text, message):
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)):
        options.given(parse("--settings", str(path)), "bpr")
