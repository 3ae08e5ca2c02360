import os

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as `python -m crane_pyg` has it
