import torch
import torch.nn.functional as F

from crane_pyg.nn import ConcatFusion, LearnedItemGraph
from crane_pyg.nn.graphs import weighing
from crane_pyg.nn.graphs.weighing import SHARES, choose_shares
from crane_pyg.nn.user_item import item_to_user_graph
from crane_pyg.ops import csr_graph, graph_recall, some_of
from tests.nn.fusion.data import kinds

ALL = torch.ones(200, dtype=torch.bool)


def unit(data, names):
    return {name: F.normalize(data["item"][f"x_{m}"], dim=1) for name, m in names.items()}


def test_the_best_has_all_and_noise_little_or_nothing():
    data = kinds()
    xs = unit(data, {"a": "a", "b": "b", "c": "c"})
    shares = choose_shares(xs, ALL, item_to_user_graph(data), 3)
    assert shares["a"] == 1
    assert set(shares.values()) <= set(SHARES)
    assert shares.get("c", 0) < 1


def test_what_neither_helps_nor_harms_stays():
    data = kinds()
    shares = choose_shares(unit(data, {"a": "a", "b": "a"}), ALL, item_to_user_graph(data), 3)
    assert shares == {"a": 1, "b": 1}


def test_the_shares_recommend_no_worse_than_others():
    data = kinds()
    graph = LearnedItemGraph(ConcatFusion({"a": 4, "b": 2, "c": 4}, 8), k=3, loop=False)

    def recall(share):
        graph.fusion.modality_share.copy_(torch.tensor(share))
        return graph_recall(graph(data), item_to_user_graph(data))

    others = [recall(share) for share in ([1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1])]
    graph.warm_start(data)
    chosen = recall(graph.fusion.modality_share.tolist())
    assert chosen.mean >= max(others).mean - 2 * max(others).error  # one of each modality's choice
    assert max(others).mean > min(others).mean


def test_of_a_large_catalogue_some_items_count(monkeypatch):
    data = kinds()
    xs, to_user = unit(data, {"a": "a", "b": "b", "c": "c"}), item_to_user_graph(data)
    complete = torch.arange(200) % 5 > 0
    items = some_of(complete.nonzero().view(-1), 60)
    place = {int(item): row for row, item in enumerate(items)}
    pairs = [(place[i], u) for i, u in to_user.edge_index.T.tolist() if i in place]
    part = csr_graph(torch.tensor(pairs).T, size=(60, to_user.num_dst))
    few = {m: x[items] for m, x in xs.items()}
    expected = choose_shares(few, torch.ones(60, dtype=torch.bool), part, 3)
    monkeypatch.setattr(weighing, "_MOST_ITEMS", 60)
    assert choose_shares(xs, complete, to_user, 3) == expected
