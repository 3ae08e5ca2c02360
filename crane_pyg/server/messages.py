"""What requests may say, and what answers look like; the page of OpenAPI is made of this."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(min_length=1, max_length=500)]
Count = Annotated[int, Field(ge=1, le=1000, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Weight = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]

_K = Field(20, description="how many items; fewer only where no more are left")
_WEIGHT = Field(
    None,
    description="0: what people took; 1: what items are like; null: as the model was trained",
)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [values]})


class RecommendRequest(_Request):
    """What known users may take next."""

    model_config = _example(users=["customer 7"], k=5)

    users: Annotated[list[Id], Field(min_length=1, max_length=256)]
    k: Count = _K
    filter_seen: Flag = Field(True, description="leave out what the user has taken")
    items: list[Id] | None = Field(None, max_length=100_000, description="rank these alone")
    exclude: list[Id] | None = Field(None, max_length=100_000, description="leave these out")
    unknown: Literal["raise", "popular"] = Field(
        "raise", description="users nobody has seen: an error, or what is popular"
    )
    content_weight: Weight | None = _WEIGHT


class HistoryRequest(_Request):
    """What somebody may take next who took these items, and whom training has not seen."""

    model_config = _example(items=["thing-001", "thing-002"], k=5, content_weight=0.3)

    items: Annotated[list[Id], Field(min_length=1, max_length=1000)]
    k: Count = _K
    filter_seen: Flag = Field(True, description="leave out the history")
    content_weight: Weight | None = _WEIGHT


class SimilarRequest(_Request):
    """Which items resemble others."""

    model_config = _example(items=["thing-001"], k=5, by="content")

    items: Annotated[list[Id], Field(min_length=1, max_length=256)]
    k: Count = _K
    by: Annotated[str, Field(max_length=100)] = Field(
        "behaviour", description="'behaviour', 'content', or one modality, such as 'image'"
    )


class ExplainRequest(_Request):
    """Why an item is recommended: to a known user, or to somebody who took some items."""

    model_config = _example(history=["thing-001", "thing-002"], item="thing-003")

    item: Id
    user: Id | None = None
    history: Annotated[list[Id], Field(min_length=1, max_length=1000)] | None = None


class NewItemRequest(_Request):
    """An item to try: it is ranked with the others until the server ends or reloads."""

    model_config = _example(title="night lamp", text="velvet moon star")

    title: Annotated[str, Field(min_length=1, max_length=200)]
    text: Annotated[str, Field(max_length=20_000)] = ""
    picture: str | None = Field(None, description="the file of a picture, in base64")


class Item(BaseModel):
    """An item as people see it."""

    id: str
    title: str
    picture: str | None = Field(description="where its picture is, on this server")
    score: float | None = Field(None, description="to be compared within one list alone")


class RankedItems(BaseModel):
    """Items, best first."""

    items: list[Item]


class Recommended(BaseModel):
    """A list for each user, in the order of the request."""

    class ForUser(RankedItems):
        """The list of one user."""

        user: str

    results: list[ForUser]


class Similar(BaseModel):
    """A list for each item, in the order of the request."""

    class ToItem(RankedItems):
        """The list of one item."""

        item: str

    results: list[ToItem]


class ItemsPage(RankedItems):
    """Some of the items that were found, the most popular first."""

    total: int


class Health(BaseModel):
    """What is served."""

    status: Literal["ok"]
    name: str
    model: str
    users: int
    items: int
    new_items: int
    modalities: list[str]
    pictures: bool
    loaded: str


class Refusal(BaseModel):
    """What was wrong with a request, in one line."""

    detail: str


class Contribution(BaseModel):
    """What one item that was taken adds to the score, over one kind of edge."""

    item: Item
    edge: str = Field(
        description="'behaviour' or 'together', over who took both; or the modality in which they "
        "resemble each other"
    )
    amount: float


class Explanation(BaseModel):
    """What the trained score of an item is made of: its parts add up to it."""

    item: Item
    score: float
    contributions: list[Contribution]
    own: float = Field(description="what training learned of the user, beside what they took")
    baseline: float = Field(description="the same for all items of this user")
