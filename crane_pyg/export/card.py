"""The model card: ``README.md`` as the Hugging Face hub writes and reads it."""

import json
from collections.abc import Mapping
from typing import Any

_TEXT = """---
library_name: crane-pyg
pipeline_tag: tabular-classification
tags:
- recommender-system
- multimodal
- {model}
---

# {model}, trained on {dataset}

Ranks {num_items:,} items for {num_users:,} users, for users it has not seen, and for items that
nobody has taken yet. Made by crane-pyg {version}.

```python
from crane_pyg.serving import Recommender

shop = Recommender.load(".")
shop.recommend(shop.user_ids[0], k=10)
shop.recommend_for_history(shop.item_ids[:3], k=10)
shop.similar_items(shop.item_ids[0], k=10)
```

## Measured

{metrics}

Protocol `{protocol}`, seed {seed}, the whole catalogue ranked.

## What it needs to know

- **Intended for** ranking this catalogue for its users. It knows what people took, not why: what is
  popular among its users is ranked high, and who resembles few others is served worse.
- **Personal data**: the folder holds the ids of the users and what they took.
- **Pictures and titles** belong to whoever owns the catalogue; pictures are named, not contained.

## Origin

```json
{origin}
```
"""


def model_card(about: Mapping[str, Any], num_users: int, num_items: int) -> str:
    """The card of an artefact.

    Args:
        about: its note.
        num_users, num_items: sizes.
    """
    origin = {
        key: about[key] for key in ("model", "settings", "data", "versions", "seed") if key in about
    }
    return _TEXT.format(
        model=about.get("model", "model"),
        dataset=about.get("data", {}).get("dataset", "data of its own"),
        num_users=num_users,
        num_items=num_items,
        version=about.get("versions", {}).get("crane-pyg", ""),
        metrics=_metrics(about.get("metrics", {})),
        protocol=about.get("protocol", "strict"),
        seed=about.get("seed", 0),
        origin=json.dumps(origin, indent=2),
    )


def _metrics(metrics: Mapping[str, Mapping[str, float]]) -> str:
    splits = {split: scores for split, scores in metrics.items() if scores}
    if not splits:
        return "Nothing was measured."
    names = list(next(iter(splits.values())))
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for split, scores in splits.items():
        lines.append(f"| {split} | " + " | ".join(f"{scores[name]:.4f}" for name in names) + " |")
    return "\n".join(lines)
