"""Every public name has an entry on the site, functions say their shapes, and pages use names."""

import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path

import pytest

import crane_pyg

ROOT = Path(__file__).parent.parent
pytest.importorskip("sphinx")
sys.path.insert(0, str(ROOT / "docs"))
from generated import ROOMS, entries, identity  # noqa: E402

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(crane_pyg.__path__, "crane_pyg.")
    if not module.name.endswith("__main__")
    and hasattr(importlib.import_module(module.name), "__all__")
)
PUBLIC = {
    identity(getattr(importlib.import_module(module), name), name): (module, name)
    for module in MODULES
    for name in importlib.import_module(module).__all__
}


def text_of(folders, patterns=("*.md", "*.py")):
    files = (path for folder in folders for pattern in patterns for path in folder.rglob(pattern))
    return "\n".join(path.read_text() for path in files if "generated" not in path.parts)


SHOWN = text_of([ROOT / "docs", ROOT / "examples"])
# These have an entry, and no page shows them at work; a name that one shows goes from here.
ONLY_LISTED = {
    "words and types of arguments": """
        Callback Compared Degrees DropMode Edges FormatName FusionName KNNImpl Metric Negatives
        ProfileAggregation RankingName Reduction Refresh Regularised Similarity TrackerName
        Weighting
    """,
    "what functions return or take": """
        Contribution EncodedImages EncodedTexts Explanation FitResult GraphRecall Inspection
        ItemTexts Measurement PreparationReport SearchPlan TrainingSettings UnknownIdError
        WordProjection
    """,
    "models, in the table that is generated": """
        DGVAE LPIC LocalEASE MultiVAE UltraGCN
    """,
    "parts that models are made of, used by their own files": """
        BipartiteConv DegreeDropEdge DegreeThinning DenseItemToItem FrozenItemGraph InfoNCE
        ItemGraph ItemToItem LatentItemGraph LinearRecommender MeanSquare Norm PooledItemGraph
        ProjectedFusion ProjectingFusion RankingSettings Regulariser Residual SolvedRecommender
        SparseItemToItem Tracker TripletSampler WeightedSumConv alternating_least_squares
        choose_shares choose_similarity choose_thinning distinct dropout graph_recall
        item_view_propagation l2_of_batch modality_shares norm_of_batch some_of spectral_start
        sum_edges
    """,
    "steps of the commands, which pages show": """
        DEFAULT_METRICS TRACKERS TRAINING_DEFAULTS build_hetero_data build_optimizer
        check_settings complete_settings construct_model degree_range export_model
        fit_word_projection markdown_by_degree markdown_comparison markdown_failures
        markdown_table plan_search plot_comparison recognise_format run_grid
        search_settings settings_with_defaults split_settings summarise_runs train_epoch
        training_settings write_toy_shop
    """,
}


def test_every_public_name_has_one_entry():
    with_entry = {
        identity(getattr(importlib.import_module(ROOMS[room]), name), name)
        for room, names in entries().items()
        for name in names
    }
    assert not PUBLIC.keys() - with_entry
    assert len(PUBLIC) > 150  # of all rooms


def is_named(name, text):
    return re.search(rf"\b{name}\b", text) is not None


def test_public_names_are_shown_by_a_page_or_listed():
    listed = {name for names in ONLY_LISTED.values() for name in names.split()}
    names = {name for _, name in PUBLIC.values()}
    assert {name for name in names if not re.search(rf"\b{name}\b", SHOWN)} == listed


def takes_tensors(thing):
    found = inspect.signature(thing).parameters.values()
    return any("Tensor" in str(parameter.annotation) for parameter in found)


@pytest.mark.parametrize(("module", "name"), PUBLIC.values(), ids=lambda value: value)
def test_functions_of_tensors_say_their_shapes(module, name):
    thing = getattr(importlib.import_module(module), name)
    if inspect.isfunction(thing) and takes_tensors(thing):
        text = inspect.getdoc(thing)
        assert "Shapes:" in text or re.search(r"\[[\w, +]+\]", text), f"{module}.{name}"
