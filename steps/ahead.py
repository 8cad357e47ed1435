"""Threads that work ahead of a reader who wants the results in order: they overlap the waiting for a volume."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from types import TracebackType
from typing import Any, Self, TypeVar

from steps import errors, interruption

Result = TypeVar("Result")
Task = Callable[[], Result]

FAR = 512  # tasks under way or waiting to be read: bounds the memory, and how far a slow one lets others go ahead
_TICK_S = 1.0


class Ahead:
    """Some threads, for the length of a `with` block; whatever ends the block stops them at their next safe point."""

    def __init__(self, workers: int, tick: Callable[[], object] = lambda: None) -> None:
        """Start `workers` threads; `tick` is called about once a second while a result is waited for."""
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="ahead")
        self._stopping = threading.Event()
        self._tick = tick

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._pool.shutdown(cancel_futures=True)

    def point(self) -> None:
        """A safe point of a task.

        Raises:
            errors.Interrupted: a SIGTERM has come, or the block has ended.

        """
        interruption.point()
        if self._stopping.is_set():
            raise errors.Interrupted

    def start(self, task: Task[Result]) -> Future[Result]:
        """Start a task; a task may start others, and must not wait for them."""
        return self._pool.submit(task)

    def in_order(self, started: Iterable[Future[Result]]) -> Iterator[Result]:
        """Yield the results of tasks in their order; they are asked for one by one, not more ahead than fit.

        Raises:
            errors.Interrupted, and whatever the first task in the order raises that fails

        """
        under_way: deque[Future[Result]] = deque()
        for task in started:
            under_way.append(task)
            while under_way and (len(under_way) > FAR or under_way[0].done()):
                yield self.result(under_way.popleft())
        while under_way:
            yield self.result(under_way.popleft())

    def result(self, future: Future[Any]) -> Any:
        """Wait for the result of one task."""
        while True:
            interruption.point()
            try:
                return future.result(_TICK_S)
            except NotYet:
                if future.done():  # the task's own
                    raise
                self._tick()


def ready(result: Result) -> Future[Result]:
    """A task that needed no thread."""
    future: Future[Result] = Future()
    future.set_result(result)
    return future
