import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import errors
from steps.files import ahead
from steps.files.ahead import Ahead, More
from steps.process import interruption
from tests.builders.refusals import Holding, refused

plans = st.recursive(
    st.lists(st.integers(), max_size=3),
    lambda below: st.lists(st.one_of(st.integers(), below), max_size=4),
    max_leaves=15,
)


def unfold(task):
    """A task is a list of items, of which a list stands for a further task."""
    return [More(item) if isinstance(item, list) else item for item in task]


def flat(tasks):
    return [each for item in tasks for each in (flat(item) if isinstance(item, list) else [item])]


def stream(act, tasks, workers=2, **more):
    with Ahead(act, workers, **more) as working:
        return list(working.stream(tasks))


@given(st.lists(plans, max_size=5))
@settings(max_examples=60, deadline=None)
def test_items_come_in_the_order_of_one_process_by_itself(tasks):
    assert stream(unfold, tasks, workers=0) == flat(tasks)


@given(st.lists(plans, max_size=5), st.sampled_from([1, 30, ahead.UNREAD_BYTES]))
@settings(max_examples=15, deadline=None)
def test_items_come_in_the_order_of_one_process_from_several(tasks, unread):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "UNREAD_BYTES", unread)

        assert stream(unfold, tasks, workers=3) == flat(tasks)


def test_tasks_are_done_by_other_processes_and_all_of_them():
    def who(_task):
        time.sleep(0.01)
        return [os.getpid()]

    found = set(stream(who, range(40), workers=3))

    assert len(found) == 3
    assert os.getpid() not in found


def test_without_workers_tasks_are_done_here():
    assert stream(lambda _task: [os.getpid()], [1], workers=0) == [os.getpid()]


def chain(task):
    """A task finds the next, and says who did it."""
    return [os.getpid(), More(task - 1)] if task else [os.getpid()]


@pytest.fixture
def told(monkeypatch):
    """What workers are told: the tasks of each word."""
    told = []

    def tell(worker, nodes, tell=ahead._Worker.tell):
        told.append([node.task for node in nodes])
        tell(worker, nodes)

    monkeypatch.setattr(ahead._Worker, "tell", tell)
    return told


@pytest.mark.parametrize(("while_s", "tasks"), [(60, 1), (0, 21)])
def test_a_worker_goes_on_with_what_its_task_has_found_but_only_for_a_while(monkeypatch, told, while_s, tasks):
    monkeypatch.setattr(ahead, "_WHILE_S", while_s)

    assert len(stream(chain, [20])) == 21
    assert [len(tasks) for tasks in told] == [1] * tasks


@pytest.mark.parametrize(("while_s", "most"), [(60, 32), (0, 1)])
def test_a_worker_is_told_as_many_tasks_at_once_as_it_does_in_a_while(monkeypatch, told, while_s, most):
    monkeypatch.setattr(ahead, "_WHILE_S", while_s)

    assert stream(lambda task: [task], range(300), workers=1) == list(range(300))
    assert max(len(tasks) for tasks in told) == most


def test_what_a_worker_does_not_come_to_in_a_while_is_left_to_any_worker(monkeypatch, told):
    monkeypatch.setattr(ahead, "_WHILE_S", 0.05)

    def slow_in_the_end(task):
        time.sleep(0.02 * (task >= 100))
        return [(task, os.getpid())]

    found = stream(slow_in_the_end, range(120), workers=3)

    assert [task for task, _ in found] == list(range(120))
    assert len({worker for task, worker in found if task >= 100}) == 3
    assert sum(len(tasks) for tasks in told) > 120


def test_what_is_found_to_be_long_is_left_to_any_worker(monkeypatch):
    monkeypatch.setattr(ahead, "_WHILE_S", 60)

    def find(task):
        if not task:
            return [More(number, apart=True) for number in range(1, 21)]
        time.sleep(0.01)
        return [(task, os.getpid())]

    found = stream(find, [0], workers=3)

    assert [task for task, _ in found] == list(range(1, 21))
    assert len({worker for _, worker in found}) == 3


def test_what_is_soon_done_is_done_here_before_others_would_be_ready():
    assert set(stream(chain, [20], alone_s=60)) == {os.getpid()}
    assert workers() == []


def test_what_takes_longer_is_gone_on_with_by_other_processes():
    def slow(task):
        time.sleep(0.01)
        return [(task, os.getpid())]

    found = stream(slow, range(40), workers=3, alone_s=0.05)

    assert [task for task, _ in found] == list(range(40))
    assert found[0][1] == os.getpid()
    assert len({worker for _, worker in found}) == 4
    assert found[-1][1] != os.getpid()


def test_tasks_are_not_asked_for_further_ahead_than_fits(monkeypatch):
    monkeypatch.setattr(ahead, "UNREAD_BYTES", 10_000)
    asked = []

    def tasks():
        for number in range(1000):
            asked.append(number)
            yield number

    def slow_at_first(task):
        time.sleep(0 if task else 0.5)
        return [os.urandom(2000)] * 5

    with Ahead(slow_at_first, 2) as working:
        next(working.stream(tasks()))

    assert 2 < len(asked) < 100


def test_long_tasks_and_long_answers_do_not_wait_for_each_other():
    """A socket holds some 200 KiB: who writes more waits for the reader, which must not be writing too."""

    def too_long(_signal, _frame):
        pytest.fail("they wait for each other")

    long = bytes(1 << 20)
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(20)
    try:
        assert stream(lambda task: [task], [long] * 20) == [long] * 20
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_each_worker_is_told_its_number_before_it_begins():
    number = []

    def whoami(_task):
        time.sleep(0.01)
        return [number[-1]]

    assert set(stream(whoami, range(20), workers=3, enter=number.append)) == {1, 2, 3}
    assert number == []


def test_the_error_of_a_task_is_the_reader_s_with_its_sentence():
    def fail(_task):
        raise errors.VolumeFull("/backup", 10, 5)

    with refused(errors.VolumeFull, path="/backup", needed_bytes=10, free_bytes=5) as caught:
        stream(fail, [1])

    assert caught.value.exit_code == errors.REFUSED_EXIT


def test_an_error_that_nobody_foresaw_says_where_it_came_up_and_not_what_it_quotes():
    def fail(_task):
        raise ValueError("a password")

    with refused(errors.Unexpected, kind="ValueError", place=Holding("test_ahead.py:")):
        stream(fail, [1])


def test_a_worker_that_is_killed_is_an_error_and_the_others_end():
    def die(task):
        if task == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return [os.getpid()]

    with refused(errors.WorkerLost, status=-9) as caught:
        stream(die, range(20), workers=3)

    assert caught.value.exit_code == errors.TRY_AGAIN_EXIT
    assert workers() == []


def test_a_sigterm_ends_the_reader_and_its_workers_at_their_next_safe_point(monkeypatch):
    def slow(_task):
        while True:
            interruption.point()
            time.sleep(0.01)

    monkeypatch.setattr(interruption, "_asked", threading.Event())
    monkeypatch.setattr(ahead, "_TICK_S", 0.1)
    began = time.monotonic()
    with pytest.raises(errors.Interrupted):
        stream(slow, [1, 2], tick=interruption._asked.set)

    assert time.monotonic() - began < 5
    assert workers() == []


def test_a_reader_that_stops_early_leaves_no_worker():
    with Ahead(lambda _task: [bytes(1 << 20)] * 4, 2) as working:
        next(working.stream(range(10)))

    assert workers() == []


def test_a_reader_within_a_reader_leaves_no_worker():
    with Ahead(lambda task: [task], 2) as outer, Ahead(lambda task: [task], 2) as inner:
        found = list(outer.stream(inner.stream(range(10))))

    assert found == list(range(10))
    assert workers() == []


def test_ticks_come_while_a_result_is_waited_for(monkeypatch):
    monkeypatch.setattr(ahead, "_TICK_S", 0.05)
    ticks = []

    stream(lambda _task: time.sleep(0.5) or [], [1], tick=lambda: ticks.append(1))

    assert len(ticks) > 3


def test_ticks_come_also_where_nothing_is_waited_for(monkeypatch):
    monkeypatch.setattr(ahead, "_TICK_S", 0.05)
    ticks = []
    with Ahead(lambda task: [task], 2, tick=lambda: ticks.append(1)) as working:
        for _ in working.stream(range(40)):
            time.sleep(0.01)  # the reader is the slow one

    assert len(ticks) > 3


KILLED = """
import os, time
from steps.files.ahead import Ahead
def slow(task):
    os.write(1, b"%d " % os.getpid())  # in one piece
    time.sleep(60)
with Ahead(slow, 3) as working:
    list(working.stream(range(3)))
"""


def test_a_reader_that_is_killed_takes_its_workers_along():
    reader = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)  # noqa: S603  our own
    said = ""
    while said.count(" ") < 3:
        said += reader.stdout.read(1)
    found = [int(word) for word in said.split()]
    reader.kill()
    reader.wait()
    reader.stdout.close()
    deadline = time.monotonic() + 10
    while any(is_running(worker) for worker in found) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert [worker for worker in found if is_running(worker)] == []


def is_running(process):
    try:
        with open(f"/proc/{process}/stat") as stat:  # noqa: PTH123  no file
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def workers():
    """Those of this process that have not ended."""
    return multiprocessing.active_children()


LEFT = """
import sys
from steps.files.ahead import Ahead

def stream():
    with Ahead(lambda task: [task], 2) as ahead:
        yield from ahead.stream(range(1000))

left = stream()
next(left)
"""


def test_a_reader_that_is_left_amid_its_work_keeps_no_process_from_ending():
    ended = subprocess.run([sys.executable, "-c", LEFT], timeout=20, check=False)  # noqa: S603  our own words

    assert ended.returncode == 0


STUCK = """
import os, sys, time
from steps import errors
from steps.files.ahead import Ahead

def act(task):
    if task == sys.argv[1]:
        raise ValueError("quoted by nobody")
    os.write(1, b"%d " % os.getpid())  # in one piece
    time.sleep(120)  # a system call that goes on after a signal, as one of a network volume

try:
    with Ahead(act, 2) as working:
        working.finish(["first", "second"])
except KeyboardInterrupt:
    sys.exit(3)
except errors.Unexpected:
    sys.exit(4)
"""


@pytest.mark.parametrize(("failing", "code"), [pytest.param("", 3, marks=pytest.mark.thorough), ("second", 4)])
def test_a_worker_that_comes_to_no_safe_point_keeps_nobody_from_ending(failing, code):
    words = [sys.executable, "-c", STUCK, failing]
    reader = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)  # noqa: S603  our own words
    said = ""
    while said.count(" ") < (1 if failing else 2) and (more := reader.stdout.read(1)):
        said += more  # none, where the first worker was let go before it began
    if not failing:
        reader.send_signal(signal.SIGINT)
    found = [int(word) for word in said.split()]

    assert reader.wait(timeout=30) == code
    assert [worker for worker in found if is_running(worker)] == []
    reader.stdout.close()
