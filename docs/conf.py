"""How the site is built: ``sphinx-build -W docs docs/_build`` (extra ``docs``)."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import generated  # noqa: E402

import crane_pyg  # noqa: E402

project = "crane_pyg"
author = "The crane_pyg contributors"
copyright = "the crane_pyg contributors, MIT"
version = release = crane_pyg.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinxarg.ext",
]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
myst_enable_extensions = ["colon_fence", "dollarmath", "attrs_inline"]
myst_heading_anchors = 4

# Notebooks run when their text changes; a quick build leaves them out: -D nb_execution_mode=off.
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_output_stderr = "remove"  # progress of trainings, and warnings with paths of whoever built

nitpicky = True
nitpick_ignore_regex = [
    # Other projects' names, whose indexes would have to be fetched, and words of types.
    (r"py:.*", r"(torch|torch_geometric|numpy|np|pandas|collections|pathlib|typing|argparse)\b.*"),
    (r"py:.*", r"(?!crane_pyg)[^.]*(\.[A-Z]\w*)?"),
    (r"py:obj", r"(self\.\w+|[\d.]+)"),  # docstrings that come with PyG's base classes; numbers
]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_custom_sections = ["Shapes"]
napoleon_use_ivar = True  # fields of named tuples have no second entry
napoleon_use_rtype = False
napoleon_preprocess_types = False
autosummary_generate = False

html_theme = "pydata_sphinx_theme"
html_title = "crane_pyg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}


def setup(app):
    generated.write_all(HERE)
    app.connect("missing-reference", generated.resolve_by_object)
    app.connect("autodoc-skip-member", generated.skip_field_of_tuple)
    app.connect("autodoc-process-signature", generated.signature_of_constructor)
