import json
import sys

import pytest
import torch

import crane_pyg
from crane_pyg.cli import doctor, main


def test_it_says_what_is_here(capsys):
    main(["doctor"])
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith(f"crane-pyg {crane_pyg.__version__}, Python {sys.version_info[0]}.")
    assert f"torch {torch.__version__}" in lines[1]
    assert lines[2].startswith(f"{torch.get_num_threads()} threads on ")
    main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["threads"] == torch.get_num_threads()
    assert found["needed"]["torch"] == torch.__version__
    assert found["optional"].keys() == doctor.OPTIONAL.keys()
    assert 0 < found["memory_gb"] < 1e5


def found(**change):
    machine = {
        **{"threads": 4, "cores": 4, "gpus": [], "built for CUDA": None},
        **{"has NVIDIA driver": False, "optional": dict.fromkeys(doctor.OPTIONAL, "1.0")},
    }
    return machine | change


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({}, []),
        ({"threads": 1}, ["torch computes in 1 of 4 threads: set OMP_NUM_THREADS=4"]),
        ({"cores": 2}, ["torch computes in 4 threads on 2 cores: set OMP_NUM_THREADS=2"]),
        (
            {"has NVIDIA driver": True},
            ["there is an NVIDIA driver, but torch sees no GPU (torch was built without CUDA)"],
        ),
        (
            {"has NVIDIA driver": True, "built for CUDA": "12.8"},
            ["there is an NVIDIA driver, but torch sees no GPU (torch wants CUDA 12.8)"],
        ),
    ],
)
def test_advice_for_the_machine(change, advice):
    assert list(doctor._advice(found(**change))) == advice


@pytest.mark.parametrize(
    ("missing", "gpus", "named"),
    [
        (["optuna"], [], ["optuna"]),
        (["fastapi", "prometheus-client"], [], ["fastapi", "prometheus-client"]),
        (["pyg-lib"], [], []),
        (["pyg-lib", "torch-cluster"], [], ["torch-cluster", "pyg-lib"]),
        (["triton"], [], []),
        (["triton"], [{}], ["triton"]),
        (["wandb", "mlflow", "tensorboard"], [], []),
    ],
)
def test_advice_for_what_is_missing(missing, gpus, named):
    states = dict.fromkeys(doctor.OPTIONAL, "1.0") | dict.fromkeys(missing, "missing")
    advice = doctor._advice(found(optional=states, gpus=gpus))
    assert [line.split()[2].rstrip(":") for line in advice] == named


def test_a_package_that_cannot_be_loaded_is_broken(capsys, monkeypatch):
    def fail(name):
        raise OSError("undefined symbol\n_ZN3c10")

    monkeypatch.setattr(doctor, "import_module", fail)
    monkeypatch.setattr(doctor, "OPTIONAL", {"pandas": ("pandas", "tables")})
    with pytest.raises(SystemExit) as stop:
        main(["doctor"])
    assert stop.value.code == 1
    out = capsys.readouterr().out
    assert f"pandas: broken: {doctor.version('pandas')}, OSError: undefined symbol _ZN3c10" in out
    assert "- pandas is installed and cannot be loaded: reinstall it for this torch" in out
