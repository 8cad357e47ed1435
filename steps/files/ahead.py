"""Worker processes that compute results ahead of a reader, who gets them in order.

A worker gets a task as plain data and answers with a list of items. An item may be `More`: the results of another task
belong in its place. The reader gets the items depth first, as if one process had done all tasks. Tasks that the reader
needs next are done first. Workers are forked, so that their visitor need not be pickled. They end with the reader,
however it ends.

A message between two processes takes as long as copying some small files. So a worker gets as many tasks at once as it
recently did in a time slice. It also does tasks that these tasks have found, and returns the rest at the end of the
slice.

Threads were tried and lost: 20,000 files of 4 KiB from a warm cache on two cores took one process 4.0 s, two threads
4.7 s, eight threads 5.2 s (they wait for the interpreter's lock at each system call), two processes 2.0 s and eight
2.4 s; from a cold cache 3.4, 4.3, 3.8, 3.4 and 2.0 s.
"""

import atexit
import ctypes
import gc
import heapq
import multiprocessing
import os
import pickle
import selectors
import signal
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeVar

from steps import errors
from steps.process import interruption

Task = TypeVar("Task")
Item = Any  # of the answer to a task; each visitor documents its own

UNREAD_BYTES = 8 << 20  # of answers that wait for the reader: limits memory, and the lead over a slow task
_WHILE_S = 0.005  # the time slice: between two answers, if tasks are short
_TASKS = 32  # the most in a message
_TICK_S = 1.0
_PATIENCE_S = 1.0  # for a worker that is to end
_PR_SET_PDEATHSIG = 1  # prctl(2)

_FORK = multiprocessing.get_context("fork")
_reader_ends: set[Connection] = set()  # of all workers of this process: a new one closes what it inherits


@atexit.register
def _let_go() -> None:
    """Close the connections of an abandoned reader, or the interpreter waits for its workers at exit."""
    for end in _reader_ends:
        end.close()


class More(NamedTuple):
    """A placeholder for the results of another task; `apart`: a long task, left to any worker."""

    task: Any
    apart: bool = False


class _Node:
    """A task with its place in the order. Tasks of its own `More` come before the next task."""

    __slots__ = ("apart", "items", "key", "size_bytes", "task")

    def __init__(self, key: tuple[int, ...], more: More) -> None:
        self.key = key
        self.task, self.apart = more
        self.items: list[Item] | None = None
        self.size_bytes = 0

    def __lt__(self, other: "_Node") -> bool:
        return self.key < other.key


class Ahead(Generic[Task]):
    """Some processes that do tasks, for the length of a `with` block. All of them end with it."""

    def __init__(
        self,
        act: Callable[[Task], list[Item]],
        workers: int,
        tick: Callable[[], object] = lambda: None,
        enter: Callable[[int], object] = lambda _number: None,
        *,
        alone_s: float = 0,
    ) -> None:
        """Prepare `workers` processes. They are forked with the first task; 0: do the tasks in this process, for tests.

        `tick` is called about once a second, between two tasks at the latest. `enter` is called in each worker at its
        start, with the number of the worker from 1 on. For `alone_s` seconds this process does the tasks itself: short
        work is done before workers would be ready.
        """
        self._act = act
        self._count = workers
        self._tick = tick
        self._enter = enter
        self._workers: list[_Worker] = []
        self._lines = selectors.DefaultSelector()
        self._ticked = time.monotonic()
        self._alone_until = self._ticked + alone_s

    def __enter__(self) -> Self:
        return self

    def _fork(self) -> None:
        gc.freeze()  # else the garbage collector of a worker copies the memory that it shares with us
        for number in range(1, self._count + 1):
            worker = _Worker(self._act, self._enter, number)
            self._workers.append(worker)
            self._lines.register(worker.connection, selectors.EVENT_READ, worker)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        for worker in self._workers:
            worker.close(at_once=error is not None)
        for worker in self._workers:
            worker.join(at_once=error is not None)

    def stream(self, tasks: Iterable[Task | More]) -> Iterator[Item]:
        """Yield the items of tasks in order. Tasks are taken from the iterable only when they are sent to a worker.

        Raises:
            errors.Interrupted, errors.WorkerLost, and whatever a task raises

        """
        plan = _Plan(tasks)
        while (node := plan.next_top()) is not None:
            stack: list[Iterator[Item]] = [iter((node,))]
            while stack:
                item = next(stack[-1], None)
                if item is None:
                    stack.pop()
                elif isinstance(item, _Node):
                    self._do(plan, item)
                    stack.append(iter(plan.read(item)))
                else:
                    yield item

    def finish(self, tasks: Iterable[Task]) -> None:
        """Do tasks that return no items; raises what `stream` does."""
        for _ in self.stream(tasks):
            pass

    def _do(self, plan: "_Plan", wanted: _Node) -> None:
        """Work until the task that the reader needs now is done."""
        while True:
            interruption.point()
            if time.monotonic() - self._ticked >= _TICK_S:
                self._ticked = time.monotonic()
                self._tick()
            if wanted.items is not None:
                return
            if self._count and not self._workers and time.monotonic() >= self._alone_until:
                self._fork()
            if self._workers:
                self._give(plan, wanted)
                self._take(plan)
            else:
                plan.to_start(wanted, 1)  # nothing comes before the task that the reader needs
                plan.done(wanted, self._act(wanted.task), 0)  # and it is read at once

    def _give(self, plan: "_Plan", wanted: _Node) -> None:
        """Send tasks to idle workers only. A busy one reads no task before its answer is read, and both could block."""
        for worker in self._workers:
            if not worker.told and (nodes := plan.to_start(wanted, worker.at_once)):
                worker.tell(nodes)

    def _take(self, plan: "_Plan") -> None:
        for key, _ in self._lines.select(_TICK_S):
            worker: _Worker = key.data
            nodes = worker.told
            answers, size_bytes = worker.take()
            for node, items in zip(nodes, answers, strict=False):
                plan.done(node, items, size_bytes // len(answers))
            for node in nodes[len(answers) :]:
                plan.put_back(node)


class _Plan:
    """The tasks in their order, and the answers that wait for the reader."""

    def __init__(self, tasks: Iterable[Any | More]) -> None:
        self._tasks = enumerate(tasks)
        self._top: deque[_Node] = deque()
        self._to_start: list[_Node] = []
        self._unread_bytes = 0

    def next_top(self) -> _Node | None:
        """The next task of the caller."""
        if not self._top:
            self._ask()
        return self._top.popleft() if self._top else None

    def _ask(self) -> None:
        for number, task in self._tasks:
            node = _Node((number,), task if isinstance(task, More) else More(task))
            self._top.append(node)
            heapq.heappush(self._to_start, node)
            return

    def to_start(self, wanted: _Node, most: int) -> list[_Node]:
        """The next tasks for a worker, if unread answers leave room, or the task that the reader waits for."""
        nodes: list[_Node] = []
        while len(nodes) < most:
            has_room = self._unread_bytes < UNREAD_BYTES
            if not self._to_start and has_room:
                self._ask()
            if not self._to_start or not (has_room or self._to_start[0] is wanted):
                break
            if nodes and self._to_start[0].apart:
                break
            nodes.append(heapq.heappop(self._to_start))
            if nodes[-1].apart:
                break
        return nodes

    def put_back(self, node: _Node) -> None:
        """Put back a task that was sent and not done."""
        heapq.heappush(self._to_start, node)

    def done(self, node: _Node, items: list[Item], size_bytes: int) -> None:
        """Keep the results of a task, and queue the tasks that belong between them."""
        for number, item in enumerate(items):
            if isinstance(item, More):
                items[number] = more = _Node((*node.key, number), item)
                heapq.heappush(self._to_start, more)
        node.items, node.size_bytes = items, size_bytes
        self._unread_bytes += size_bytes

    def read(self, node: _Node) -> list[Item]:
        """The items of a task that is done."""
        items, node.items = node.items or [], []
        self._unread_bytes -= node.size_bytes
        return items


class _Worker:
    """A process that does tasks one by one, and the reader's end of the connection to it."""

    def __init__(self, act: Callable[[Any], list[Item]], enter: Callable[[int], object], number: int) -> None:
        self.told: list[_Node] = []
        self.at_once = 1  # tasks in the next message
        self.connection, other = _FORK.Pipe()
        _reader_ends.add(self.connection)
        self._process: ForkProcess = _FORK.Process(
            target=_serve, args=(act, enter, number, other, os.getpid()), daemon=True
        )
        with interruption.held_back(), warnings.catch_warnings():
            # Python 3.12 warns where other threads run; none holds what a worker needs
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        other.close()

    def tell(self, nodes: list[_Node]) -> None:
        """Send it some tasks."""
        self.told = nodes
        try:
            self.connection.send_bytes(pickle.dumps([node.task for node in nodes], pickle.HIGHEST_PROTOCOL))
        except OSError:
            self._lost()

    def take(self) -> tuple[list[list[Item]], int]:
        """Receive the items of the tasks that it did, the first ones, and the size of the answer in bytes.

        Raises:
            errors.WorkerLost, and what the task raised

        """
        try:
            said = self.connection.recv_bytes()
        except (EOFError, OSError):
            self._lost()
        answer = pickle.loads(said)  # noqa: S301  from our own process
        if isinstance(answer, BaseException):
            raise answer
        done, in_time = answer
        self.at_once = min(_TASKS, 2 * len(done)) if in_time else len(done)
        self.told = []
        return done, len(said)

    def _lost(self) -> None:
        self._process.join()
        raise errors.WorkerLost(self._process.exitcode or 0)

    def close(self, *, at_once: bool) -> None:
        """Let it end after its task, or at its next safe point."""
        if at_once and self._process.is_alive():
            self._process.terminate()
        _reader_ends.discard(self.connection)
        self.connection.close()

    def join(self, *, at_once: bool) -> None:
        """Wait for its end. `at_once`: kill it if it reaches no safe point in time."""
        self._process.join(_PATIENCE_S if at_once else None)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _serve(
    act: Callable[[Any], list[Item]], enter: Callable[[int], object], number: int, line: Connection, reader: int
) -> None:
    """Do tasks until the reader closes the connection."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # workers are killed with their reader
    if os.getppid() != reader:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the reader ends us
    interruption.catch()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})  # held back until now
    gc.disable()  # nothing that a task makes refers to itself
    for inherited in _reader_ends:
        inherited.close()
    enter(number)
    try:
        while True:
            line.send_bytes(_answer(act, pickle.loads(line.recv_bytes())))  # noqa: S301  from our own process
    except (EOFError, OSError):
        return


def _answer(act: Callable[[Any], list[Item]], tasks: list[Any]) -> bytes:
    answer: object
    until = time.monotonic() + _WHILE_S
    try:
        done: list[list[Item]] = []
        for task in tasks:
            if done and time.monotonic() >= until:
                break
            done.append(_go_on(act, task, until))
        answer = done, time.monotonic() < until
    except errors.PhaseError as error:
        answer = error
    except Exception as error:  # noqa: BLE001  sent to the reader, who raises it
        answer = errors.Unexpected.at(error)
    return pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)


def _go_on(act: Callable[[Any], list[Item]], task: Any, until: float) -> list[Item]:
    """Do a task and, until the slice ends, the tasks that it found, in order. The others stay as `More`."""
    interruption.point()
    items: list[Item] = []
    stack = [iter(act(task))]
    while stack:
        item = next(stack[-1], None)
        if item is None:
            stack.pop()
        elif isinstance(item, More) and not item.apart and time.monotonic() < until:
            interruption.point()
            stack.append(iter(act(item.task)))
        else:
            items.append(item)
    return items
