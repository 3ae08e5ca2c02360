"""Answering many requests with one matrix product."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

Value = TypeVar("Value", contravariant=True)
Answer = TypeVar("Answer", covariant=True)


class Question(Protocol[Value, Answer]):
    """Something that answers many values at once; equal questions are asked together."""

    def __call__(self, values: Sequence[Value], /) -> Sequence[Answer]:
        """The answer to each value, in their order."""


class Batcher:
    """Collects what is asked while an answer is being computed, and asks it together then.

    Nobody waits for others to come: a request that finds the machine idle is computed alone.
    Everything is computed in one thread, beside the one that reads and writes requests.

    Args:
        most: values asked together at most.
        observe: called with the number of values of each batch.
    """

    def __init__(self, most: int = 64, observe: Callable[[int], object] | None = None) -> None:
        self._most, self._observe = most, observe
        self._waiting: dict[Any, list[tuple[Any, asyncio.Future[Any]]]] = {}
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="answers")

    async def ask(self, question: Question[Value, Answer], value: Value) -> Answer:
        """The answer to a value.

        Args:
            question: hashable; what equals it is asked in one batch.
            value: what is asked.

        Raises:
            Exception: what the question raises for this value, whatever it raises for others.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(question, []).append((value, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await future

    def close(self) -> None:
        """Ends the thread, once it has answered."""
        self._thread.shutdown()

    async def _work(self) -> None:
        while self._waiting:
            question = next(iter(self._waiting))  # whoever waits longest
            asked = self._waiting.pop(question)
            if rest := asked[self._most :]:
                self._waiting[question] = rest
            wanted = [(value, future) for value, future in asked[: self._most] if not future.done()]
            if wanted:
                await self._answer(question, wanted)
        self._worker = None

    async def _answer(
        self, question: Question[Any, Any], wanted: list[tuple[Any, asyncio.Future[Any]]]
    ) -> None:
        if self._observe is not None:
            self._observe(len(wanted))
        values = [value for value, _ in wanted]
        found = await asyncio.get_running_loop().run_in_executor(
            self._thread, _answers, question, values
        )
        for (_, future), (answer, error) in zip(wanted, found, strict=True):
            if future.done():  # its client has left
                continue
            if error is None:
                future.set_result(answer)
            else:
                future.set_exception(error)


def _answers(question: Question[Any, Any], values: list[Any]) -> list[tuple[Any, Exception | None]]:
    """Answers, or what was raised in their place; what one value raises is no other's."""
    try:
        return [(answer, None) for answer in question(values)]
    except Exception as error:
        if len(values) == 1:
            return [(None, error)]
        return [found for value in values for found in _answers(question, [value])]
