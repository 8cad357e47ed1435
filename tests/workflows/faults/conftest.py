"""The stage of the faults, and the hand that strikes the phases on it.

The exit handler has tests of its own and is left out here, and the pause between two tries is next to nothing: half of
the time of these tests would go there.
"""

import os
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable

import pytest

from tests.builders import repositories
from tests.embedded import kubernetes as embedded
from tests.embedded.kubernetes import Cluster as Kubernetes
from tests.workflows.faults.copies import Copies
from workflows.manifests import render
from workflows.rehearsal import comparison
from workflows.rehearsal.rehearse import NAMESPACE, SETTINGS
from workflows.rehearsal.threescale import installation as threescale

Blow = Callable[[subprocess.Popen[bytes]], None]


class Hand:
    """Strikes phases in the middle of what they do: each try of a phase takes the next blow that waits for it."""

    def __init__(self, stage):
        self._stage = stage
        self._kubernetes = stage.kubernetes
        self._waiting: dict[str, list[Blow]] = defaultdict(list)
        self.threads: list[threading.Thread] = []
        stage.engine.on_start = self._strike

    def against(self, phase: str, *blows: Blow) -> None:
        """Have blows wait for the next tries of a phase."""
        self._waiting[phase] += blows

    def forget(self) -> None:
        """Let no blow that still waits meet a phase."""
        self._waiting.clear()

    def _strike(self, node, process) -> None:
        if self._waiting[node]:
            self._waiting[node].pop(0)(process)

    # --- blows ---

    def refuse(self, verb, resource, status, **more) -> Blow:
        return lambda _process: self._kubernetes.refuse_next(verb, resource, status=status, **more)

    def drop(self, verb, resource, **more) -> Blow:
        return lambda _process: self._kubernetes.drop_next(verb, resource, **more)

    def lose_answer(self, verb, resource, **more) -> Blow:
        return lambda _process: self._kubernetes.lose_answer_of_next(verb, resource, **more)

    def stop_at(self, verb, resource, **more) -> Blow:
        """Send SIGTERM while the phase waits for an answer; it gets the answer."""
        return lambda process: self._kubernetes.before_next(
            verb, resource, lambda _request: process.send_signal(signal.SIGTERM), **more
        )

    def kill_before(self, verb, resource, **more) -> Blow:
        """Send SIGKILL while the phase waits for an answer, and do nothing of what it asked for."""

        def kill(process, request) -> None:
            process.kill()
            embedded.drop(request)

        return lambda process: self._kubernetes.before_next(
            verb, resource, lambda request: kill(process, request), **more
        )

    def kill_after(self, verb, resource, **more) -> Blow:
        """Send SIGKILL while the phase waits for an answer, when what it asked for is done."""
        return lambda process: self._kubernetes.after_next(verb, resource, lambda _request: process.kill(), **more)

    def second(self, blow: Blow, verb, resource) -> Blow:
        """Let a blow meet not the next request of a kind, but the one after it."""

        def wait(process) -> None:
            self._kubernetes.before_next(verb, resource, lambda _request: blow(process))

        return lambda process: self._kubernetes.after_next(verb, resource, lambda _request: wait(process))

    def amid_copy(self, number, target) -> Blow:
        """Send a signal while a file is being copied to a tree.

        The file is larger than anybody wants to wait for, and gone from the source once the signal is sent.
        """

        def strike(process: subprocess.Popen[bytes]) -> None:
            large = self._stage.storage / "zz-large"
            with large.open("wb") as stream:
                for _ in range(1 << 8):
                    stream.write(b"x" * (1 << 20))  # no zeros, which a copy leaves out
            copy = target / large.name
            left_ns = copy.stat().st_mtime_ns if copy.exists() else 0  # by a try that was killed
            watcher = threading.Thread(target=self._watch, args=(large, copy, left_ns, number, process))
            self.threads.append(watcher)
            watcher.start()

        return strike

    @staticmethod
    def _watch(large, copy, left_ns, number, process) -> None:
        while process.poll() is None and not _is_under_way(copy, left_ns):
            time.sleep(0.001)
        large.unlink()
        process.send_signal(number)


def _is_under_way(copy, left_ns) -> bool:
    try:
        found = copy.stat()
    except FileNotFoundError:
        return False
    return found.st_size >= 1 << 20 and found.st_mtime_ns != left_ns


def _apply(stage, settings=SETTINGS, **strategy) -> None:
    for manifest in render(settings):
        if manifest["kind"] == "WorkflowTemplate":
            manifest["spec"].pop("onExit")
            for template in manifest["spec"]["templates"]:
                if "retryStrategy" in template:
                    template["retryStrategy"] |= strategy
        stage.engine.apply(manifest)


@pytest.fixture
def empty(empty):
    """A namespace with the templates and their rights, and no 3scale."""
    _apply(empty, backoff={"duration": "1s"})
    return empty


@pytest.fixture
def tried_once(empty):
    """A phase that was killed is not tried again."""
    _apply(empty, limit="0")


@pytest.fixture
def hand(empty):
    hand = Hand(empty)
    yield hand
    for thread in hand.threads:
        thread.join()


@pytest.fixture
def copies(kept, hand, s3, faults, restic, restic_on_path):  # noqa: ARG001  the phases start it
    """A sealed backup, and an empty bucket for its copies behind a proxy with faults."""
    _apply(
        kept, SETTINGS.model_copy(update={"repositories": (repositories.NAME,)}), backoff={"duration": "1s"}, limit="1"
    )
    copies = Copies(kept, hand, restic, s3.bucket(), faults)
    copies.give()
    return copies


@pytest.fixture
def copied(copies):
    """The same, with a copy in the repository and no fault yet."""
    assert copies.push(repository_init="yes").phase == "Succeeded"
    return copies


@pytest.fixture(scope="session")
def before(tmp_path_factory):
    """What a restore must bring back."""
    folder = tmp_path_factory.mktemp("before")
    with Kubernetes() as kubernetes:
        threescale.install(kubernetes, NAMESPACE, folder)
        return comparison.look(kubernetes, NAMESPACE, folder)


@pytest.fixture
def differences(before):
    """Say in what a restored installation differs from the one that was lost."""

    def found(stage) -> list[str]:
        after = comparison.look(stage.kubernetes, stage.namespace, stage.storage)
        return [why for row in comparison.compare(before, after) for why in row.differences]

    return found


@pytest.fixture
def mount():
    """Mount a file system of its own over a volume, for the length of a test."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    mounted = []

    def over(folder, options) -> None:
        refusal = _run("mount", "-t", "tmpfs", "-o", f"mode=2770,{options}", "tmpfs", str(folder))
        if refusal:
            pytest.skip(f"this machine mounts no tmpfs: {refusal}")
        mounted.append(folder)

    yield over
    for folder in mounted:
        _run("umount", str(folder))


def _run(*command) -> str:
    """Run a command of the system; return what it says against it."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  words of these tests
    return done.stderr.strip() if done.returncode else ""
