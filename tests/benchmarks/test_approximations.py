import torch

from benchmarks import approximations, attention_input, attention_schemes
from crane_pyg.ops.attention import nystrom
from tests.benchmarks.commands import assert_drawn, last_line


def test_approximations(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(attention_schemes, "LANDMARKS", (8, 16))
    path = tmp_path / "figure.png"
    sizes = ["--min-exp", "8", "--max-exp", "9", "--repeats", "1"]
    approximations.main([*sizes, "--logit-scale", "1", "4", "--out", str(path)])
    line = last_line(capsys)
    assert len(line["runs"]) == 2 * 2 * (1 + 3 * 2 + 2)
    for record in line["runs"]:
        assert ("forward_s" in record) == (record["logit_scale"] == 1)
        assert ("error_dk" in record) == (record["scheme"] in attention_schemes.IN_LIBRARY)
    error = {(r["n"], r["logit_scale"], r["scheme"], r["size"]): r["error_f"] for r in line["runs"]}
    assert error[512, 1, "linear", None] < error[512, 4, "linear", None]
    assert error[512, 1, "nystrom", 16] < error[512, 1, "linear", None]
    assert nystrom.NUM_LANDMARKS == 128
    assert_drawn(path)


def test_approximations_with_all_blocks_are_exact():
    case = attention_input.planted(300)
    out = attention_schemes.linear_and_blocks(case, 1.0)(*case[:3])
    torch.testing.assert_close(out, attention_schemes.tiled(*case[:3]), rtol=1e-4, atol=1e-4)


def test_approximations_of_a_data_set(capsys):
    approximations.main(["--data", "tiny", "--repeats", "1"])
    inputs = {(record["input"], record["n"]) for record in last_line(capsys)["runs"]}
    assert inputs == {("visual", 500), ("textual", 500)}


def test_the_first_round_is_the_modules_own(monkeypatch):
    seen = []
    attention = attention_schemes.tanh_attention
    monkeypatch.setattr(
        "crane_pyg.nn.attention.rca.tanh_attention",
        lambda *inputs, impl: seen.append(inputs) or attention(*inputs, impl=impl),
    )
    for case, inputs in zip(attention_input.recorded("tiny").values(), seen, strict=True):
        for ours, own in zip(case[:3], inputs, strict=True):
            torch.testing.assert_close(ours, own)
