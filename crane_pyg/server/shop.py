"""The artefact that is served, exchanged as a whole for a newer one or one with an item more."""

import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from crane_pyg.encoders.later_items import IMAGE, TEXT, LaterItemEncoder
from crane_pyg.limits import shown
from crane_pyg.server.catalogue import Catalogue
from crane_pyg.server.pictures import PictureFolder
from crane_pyg.serving import Recommender
from crane_pyg.serving.artefact import Artefact
from crane_pyg.serving.item_index import Index

MOST_NEW = 200
"""Items that can be tried until the next reload."""


class FullError(ValueError):
    """No more new items are taken."""


@dataclass(frozen=True)
class Snapshot:
    """What one request sees from its beginning to its end.

    Args:
        recommender: answers.
        catalogue: what people see of the items.
        pictures: finds those of the artefact; ``None`` without a folder.
        encoder: makes features of new items.
        new_pictures: the files of those of new items, by item.
        num_new: how many items are new.
        loaded: when the artefact was read.
    """

    recommender: Recommender
    catalogue: Catalogue
    pictures: PictureFolder | None
    encoder: LaterItemEncoder
    new_pictures: Mapping[str, bytes]
    num_new: int
    loaded: str


class Shop:
    """Holds the current :class:`Snapshot`. Whoever has taken one keeps it; changes make another.

    Args:
        artefact: the folder of an export.
        pictures: the folder that its pictures' names are relative to. (default: ``None``)
        index: as :meth:`crane_pyg.serving.Recommender.load` takes it. (default: ``"exact"``)

    Raises:
        ValueError: if the artefact cannot be read, or there is no such folder.
    """

    def __init__(
        self, artefact: Path, pictures: Path | None = None, index: Index = "exact"
    ) -> None:
        if pictures is not None and not pictures.is_dir():
            raise ValueError(f"the pictures must lie in a folder (got '{pictures}')")
        self.artefact, self._folder, self._index = artefact, pictures, index
        self._changing = threading.Lock()
        self.now = self._load()

    def reload(self) -> Snapshot:
        """Read the artefact again; new items are gone then.

        Raises:
            ValueError: if it cannot be read. What was served is served on.
        """
        with self._changing:
            self.now = self._load()
            return self.now

    def try_item(self, title: str, text: str = "", picture: bytes | None = None) -> str:
        """Add an item, and return the id that it gets.

        Args:
            title: what it is called.
            text: more about it; title and text are encoded together, as those of other items.
            picture: the file of one.

        Raises:
            FullError: if there are :data:`MOST_NEW` already.
            ValueError: if it cannot be encoded, or the model knows nothing that it has.
        """
        with self._changing:
            now = self.now
            if now.num_new >= MOST_NEW:
                raise FullError(f"at most {MOST_NEW} items can be tried until the next reload")
            whole = f"{title}\n{text}".strip()
            features = now.encoder.encode(whole, picture)
            known = {m: row for m, row in features.items() if m in now.recommender.modalities}
            if not known:
                raise _nothing_known(now.recommender.modalities, whole)
            name = f"new-{secrets.token_hex(4)}"
            rows = {m: row[None].astype(np.float32) for m, row in known.items()}
            recommender = now.recommender.add_items(rows, [name], titles=[title])
            kept = {} if picture is None else {name: picture}
            new_pictures = {**now.new_pictures, **kept}
            self.now = replace(
                now,
                recommender=recommender,
                catalogue=Catalogue(recommender, now.pictures is not None, new_pictures),
                new_pictures=new_pictures,
                num_new=now.num_new + 1,
            )
            return name

    def _load(self) -> Snapshot:
        recommender = Recommender.load(self.artefact, index=self._index)
        pictures = None
        if self._folder is not None:
            pictures = PictureFolder(self._folder, recommender.pictures or ())
        return Snapshot(
            recommender,
            Catalogue(recommender, pictures is not None),
            pictures,
            LaterItemEncoder.of_artefact(Artefact(self.artefact, verify=False)),
            {},
            0,
            datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )


def _nothing_known(modalities: Sequence[str], text: str) -> ValueError:
    """Says what else could be tried of an item of which the model knows nothing."""
    if TEXT in modalities:
        more = ", or add a picture" if IMAGE in modalities else ""
        return ValueError(
            "none of these words occurs in this shop's titles and texts: "
            f"try others{more} (got {shown(text)})"
        )
    if IMAGE in modalities:
        return ValueError("this shop knows its things by their pictures: add one (got none)")
    return ValueError(f"a new item must have {' or '.join(modalities)} (got a text or a picture)")
