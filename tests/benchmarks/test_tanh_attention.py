import pytest
import torch

from benchmarks import tanh_attention
from tests.benchmarks.commands import last_line


def test_tanh_attention_against_its_rulers(capsys):
    tanh_attention.main(["--n", "96", "--d", "8", "--gemm", "64", "--repeats", "2"])
    line = last_line(capsys)
    records = {record["impl"]: record for record in line["impls"]}
    assert list(records) == tanh_attention.default_impls(96, torch.float32, torch.device("cpu"))
    assert records["reference"]["error_to_torch"] == pytest.approx(1, rel=0.5)
    for impl, record in records.items():
        for part, products in (("forward", 4), ("total", 14)):
            times = record[part]
            assert 0 < times["min_ms"] <= times["ms"]
            if impl in tanh_attention.APPROXIMATIONS:
                tiled = records["tiled"][part]["min_ms"]
                assert times["speedup"] == pytest.approx(tiled / times["min_ms"])
            else:
                operations = products * 96 * 96 * 8
                assert times["gflops"] == pytest.approx(operations / times["min_ms"] / 1e6)
                gemm = line["rulers_gflops"]["64^3"]
                assert times["of_gemm"] == pytest.approx(times["gflops"] / gemm)
                products_rate = line["rulers_gflops"]["two products"]
                assert times["of_products"] == pytest.approx(times["gflops"] / products_rate)
