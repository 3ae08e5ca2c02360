"""The command, Python and HTTP give the same lists in the same order, whatever the model."""

import asyncio
import csv
import io

import httpx
import pytest

from crane_pyg.cli import main
from crane_pyg.nn.models import MODELS
from crane_pyg.server import create_app
from crane_pyg.serving import Recommender


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_command_python_and_http_agree(name, tmp_path, capsys):
    run, shop = str(tmp_path / "run"), str(tmp_path / "shop")
    small = ["--set", "embedding_dim=8"] if "embedding_dim" in MODELS[name].settings() else []
    epochs = ["--epochs", "1", "--patience", "1"]
    main(["train", "tiny", "--model", name, *epochs, *small, "--device", "cpu", "--out", run])
    main(["export", run, "--data", "tiny", "--out", shop])
    capsys.readouterr()
    main(["recommend", "tiny", "--run", run, "--k", "10", "--device", "cpu"])
    table = [*csv.DictReader(io.StringIO(capsys.readouterr().out))]
    served = Recommender.load(shop)
    users = list(served.user_ids)
    lists: dict[str, list[str]] = {user: [] for user in users}
    for row in table:
        lists[row["user"]].append(row["item"])
    in_python = {user: [*r.ids] for user, r in zip(users, served.recommend(users, 10))}
    # By one request for many and by some for each, which are other products.
    parts = [users[:200], users[200:-5], *([user] for user in users[-5:])]
    by_http = asyncio.run(asked(create_app(shop), parts))
    assert by_http == in_python
    if name == "popularity":  # whose equals each may name in any order
        count = dict(zip(served.item_ids, served.tables.taken.tolist(), strict=True))
        lists, in_python = (
            {user: [count[item] for item in found] for user, found in both.items()}
            for both in (lists, in_python)
        )
    assert in_python == lists


async def asked(app, parts):
    """The lists of users, by one request for each part of them, all at once."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        bodies = [{"users": part, "k": 10} for part in parts]
        answers = await asyncio.gather(*(client.post("/recommend", json=b) for b in bodies))
    app.state.answers.batcher.close()
    assert {answer.status_code for answer in answers} == {200}
    results = [result for answer in answers for result in answer.json()["results"]]
    return {result["user"]: [item["id"] for item in result["items"]] for result in results}
