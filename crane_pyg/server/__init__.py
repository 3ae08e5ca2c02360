"""An artefact over HTTP, with a page of its own. Needs ``pip install 'crane-pyg[serve]'``."""

from crane_pyg.server.app import create_app
from crane_pyg.server.run import serve

__all__ = ["create_app", "serve"]
