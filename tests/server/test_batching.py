import asyncio
import threading
from dataclasses import dataclass, field

import pytest

from crane_pyg.server.batching import Batcher


@dataclass(frozen=True, eq=False)
class Doubling:
    """Doubles what it is asked, notes the batches, and waits until it may answer."""

    batches: list = field(default_factory=list)
    may: threading.Event = field(default_factory=threading.Event)

    def __call__(self, values):
        self.may.wait(5)
        self.batches.append(list(values))
        if "poison" in values:
            raise ValueError("poisoned")
        return [2 * value for value in values]


def test_what_waits_is_asked_together():
    async def run():
        question, sizes = Doubling(), []
        batcher = Batcher(most=4, observe=sizes.append)
        first = asyncio.create_task(batcher.ask(question, 0))
        await asyncio.sleep(0.02)  # it is being computed, alone
        rest = [asyncio.create_task(batcher.ask(question, value)) for value in range(1, 7)]
        await asyncio.sleep(0)
        question.may.set()
        assert await asyncio.gather(first, *rest) == [2 * value for value in range(7)]
        batcher.close()
        assert question.batches == [[0], [1, 2, 3, 4], [5, 6]]
        assert sizes == [1, 4, 2]

    asyncio.run(run())


def test_questions_that_differ_are_asked_apart():
    async def run():
        one, other = Doubling(), Doubling()
        one.may.set()
        other.may.set()
        batcher = Batcher()
        asked = [batcher.ask(one, 1), batcher.ask(other, 2), batcher.ask(one, 3)]
        assert await asyncio.gather(*asked) == [2, 4, 6]
        batcher.close()
        assert one.batches == [[1, 3]]
        assert other.batches == [[2]]

    asyncio.run(run())


def test_an_error_is_that_of_one_value_alone():
    async def run():
        question = Doubling()
        question.may.set()
        batcher = Batcher()
        asked = [batcher.ask(question, value) for value in (1, "poison", 3)]
        good, bad, fine = await asyncio.gather(*asked, return_exceptions=True)
        batcher.close()
        assert (good, fine) == (2, 6)
        assert isinstance(bad, ValueError)

    asyncio.run(run())


def test_who_leaves_is_not_waited_for():
    async def run():
        question = Doubling()
        batcher = Batcher()
        first = asyncio.create_task(batcher.ask(question, 0))
        await asyncio.sleep(0.02)
        leaver = asyncio.create_task(batcher.ask(question, 1))
        stayer = asyncio.create_task(batcher.ask(question, 2))
        await asyncio.sleep(0)
        leaver.cancel()
        first.cancel()
        await asyncio.sleep(0)
        question.may.set()
        assert await stayer == 4
        batcher.close()
        assert question.batches == [[0], [2]]
        with pytest.raises(asyncio.CancelledError):
            await leaver

    asyncio.run(run())
