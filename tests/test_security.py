"""SECURITY.md's promise: files of others are data, and nothing that is read can run."""

import ast
from pathlib import Path

import crane_pyg

ROOT = Path(crane_pyg.__file__).parent
LOADERS = {  # what each must be called with
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "torch.load": ("weights_only", True),
}
FORBIDDEN = {
    *("eval", "exec", "pickle.load", "pickle.loads", "os.system", "os.popen"),
    *("joblib.load", "pd.read_pickle", "pandas.read_pickle", "dill.load", "marshal.loads"),
}


def calls():
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path.relative_to(ROOT).as_posix(), ast.unparse(node.func), node


def test_numpy_and_torch_load_no_code():
    found = set()
    for file, name, call in calls():
        if name in LOADERS:
            option, value = LOADERS[name]
            given = {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert given.get(option) == str(value), f"{file}, line {call.lineno}"
            found.add(name)
    assert found >= {"np.load", "torch.load"}


def test_nothing_that_is_read_is_run():
    assert not [(file, name) for file, name, _ in calls() if name in FORBIDDEN]
