import torch

from benchmarks import spmv_vs_dense
from tests.benchmarks.commands import assert_drawn, last_line


def test_spmv_vs_dense(capsys, tmp_path):
    path = tmp_path / "new" / "figure.png"
    methods = ["scatter", "spmm", "tiled", "linear"]
    sizes = ["--min-exp", "6", "--max-exp", "9", "--repeats", "1"]
    spmv_vs_dense.main([*sizes, "--methods", *methods, "--out", str(path)])
    line = last_line(capsys)
    for method in methods:
        records = line["runs"][method]
        assert [record["n"] for record in records] == [64, 128, 256, 512]
        assert all(0 < r["forward_s"] < r["total_s"] for r in records)
        assert set(line["slopes"][method]) == {"time", "memory"}
    assert_drawn(path)


def test_all_sparse_products_agree():
    device = torch.device("cpu")
    products = [
        spmv_vs_dense.build(method, 9.0, 1, device, 50).forward()
        for method in spmv_vs_dense.default_methods(device)
        if method in spmv_vs_dense.PRODUCTS
    ]
    for product in products[1:]:
        torch.testing.assert_close(product, products[0])


def test_a_method_ends_before_it_passes_a_limit():
    def runs(*seconds):
        return [{"total_s": s, "total_bytes": 100.0} for s in seconds]

    assert spmv_vs_dense.may_grow(runs(2.0, 8.0), limit=40, memory=300)
    assert not spmv_vs_dense.may_grow(runs(2.0, 8.0), limit=30, memory=300)
    assert not spmv_vs_dense.may_grow(runs(2.0, 8.0), limit=40, memory=150)


def test_memory_too_little_to_be_seen(tmp_path):
    def records(*memory):
        steps = zip((64, 128, 256), memory, strict=True)
        return [{"n": n, "total_s": n / 1e4, "total_bytes": m} for n, m in steps]

    assert spmv_vs_dense.may_grow(records(0.0, 0.0, 0.0), limit=1, memory=1)
    assert spmv_vs_dense.may_grow(records(0.0, 0.0, 100.0), limit=1, memory=500)
    assert not spmv_vs_dense.may_grow(records(0.0, 0.0, 100.0), limit=1, memory=300)
    path = tmp_path / "figure.png"
    spmv_vs_dense.draw({"spmm": records(0, 0, 0), "scatter": records(0, 9, 18)}, path)
    assert_drawn(path)
