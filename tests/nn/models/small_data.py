"""A batch of small data, and the data in double precision."""

import copy


def batch(data):
    edge_index = data["user", "interacts", "item"].edge_index[:, 3:11]
    return edge_index[0], edge_index[1], (edge_index[1] + 1) % data["item"].num_nodes


def as_double(data):
    data = copy.copy(data)
    for m in ("visual", "textual"):
        data["item"][f"x_{m}"] = data["item"][f"x_{m}"].double()
    return data
