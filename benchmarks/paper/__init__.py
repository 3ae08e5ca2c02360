"""Every table and figure of the paper, one command each.

    python -m benchmarks.paper table5 --data FOLDER --settings FILE.json --out DIR

A run is trained once under one ``DIR``, whoever needs it: ``DIR/runs`` holds it under the name of
all that it depends on. What was killed goes on from its last epoch.
"""
