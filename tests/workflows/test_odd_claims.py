"""One claim of odd labels and annotations among good ones: every reader of the catalogue goes on with the rest."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import errors
from steps.__main__ import cli
from steps.archive import marks
from steps.catalogue import catalogue, deletion
from steps.catalogue.catalogue import BackupState
from steps.contract.names import PREFIX
from steps.kubernetes import fields, times
from steps.threescale import installation
from tests.builders.claims import CLAIMS, DIGEST, laid, sealed
from tests.conftest import Stage
from tests.embedded.kubernetes import Cluster as Kubernetes
from workflows.__main__ import main

ODD = "odd"
RULES = (
    *("--keep-last", "1", "--minimum-redundancy", "1", "--manual", "yes", "--operators", "yes"),
    *("--failed-after", "0d", "--timezone", "America/New_York"),
)
COMMANDS = (
    *(("list", "--output", output) for output in ("table", "wide", "json", "yaml", "name")),
    ("check", "--max-age", "9999y"),
    ("describe", ODD),
    ("describe", ODD, "--output", "yaml"),
    ("describe", "night-3"),
    ("plan", "prune", "--keep-last", "1", "--minimum-redundancy", "1"),
    ("pin", "night-1"),
    ("unpin", "night-1"),
)
PHASES = (
    ("watch", "--max-age", "9999y"),
    ("verify", "choose"),
    ("verify", "choose", "--sample", "10%"),
    ("drill", "choose", "--scratch-namespace", "scratch"),
    ("prune", "decide", "--plan", "yes", *RULES),
    ("prune", "decide", *RULES),
)

LABEL = st.one_of(
    st.sampled_from(["00010101T000000Z", "99991231T235959Z", "20261103T030000Z", "9" * 63, "12", "1_0", "nan"]),
    st.sampled_from(["true", "yes", "false", "complete", "failed", "running", "external", ODD, "night-1", ""]),
    st.from_regex(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", fullmatch=True),
)
ANNOTATION = st.one_of(
    st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-01T02:00:00Z", "9" * 400]),
    st.sampled_from([DIGEST, ODD, "..", "../..", "a/b", "A", "", "5 of 4 bytes, manifest " + DIGEST, "x\x1b[2J\ny"]),
    st.sampled_from(
        [f"{'9' * 20} of {'9' * 20} bytes, manifest {DIGEST}", f"\u0661 of \u0662 bytes, manifest {DIGEST}"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)
OURS = sorted(name for name in map(str, vars(marks).values()) if name.startswith(PREFIX) and name != PREFIX)
OPERATORS = (installation.BACKUP_NAME, installation.BACKUP_UID, installation.APIMANAGER_NAME)
LABELS = st.dictionaries(st.sampled_from(OURS), LABEL)
ANNOTATIONS = st.dictionaries(st.sampled_from([*OURS, *OPERATORS]), ANNOTATION)


@pytest.fixture(scope="module")
def anew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Stage]]:
    """A new namespace of one cluster, with three good nights in it."""
    folder, counter = tmp_path_factory.mktemp("odd"), itertools.count()
    with Kubernetes() as kubernetes:

        def make() -> Stage:
            stage: Any = Stage(kubernetes, None, folder, f"threescale-{next(counter)}")  # type: ignore[arg-type]
            facts = sealed(**{marks.SCHEDULE: "n"})
            for number in range(1, 4):
                laid(stage, f"night-{number}", started=f"2026-11-0{number}T02:00:00Z", **facts)
            return stage  # type: ignore[no-any-return]

        yield make


def kubeconfig(stage: Stage) -> Path:
    return stage.kubernetes.kubeconfig(stage.folder / "kubeconfig", namespace=stage.namespace)


def command(stage: Stage, *words: str) -> tuple[int, str]:
    """Run a person's command; what is no exit code of it is raised."""
    told = ["--namespace", stage.namespace, "--kubeconfig", str(kubeconfig(stage))]
    result = CliRunner().invoke(main, [*words, *told])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def phase(stage: Stage, *words: str) -> tuple[int, str]:
    """Run a phase; its exit code and last sentence."""
    outputs = stage.folder / "outputs"
    told = ["--namespace", stage.namespace, "--workflow", "w", "--workflow-uid", "w", "--outputs", str(outputs)]
    with mock.patch.dict(os.environ, KUBECONFIG=str(kubeconfig(stage))):
        try:
            cli.main([*told, *words], standalone_mode=False)
        except errors.PhaseError as error:
            return error.exit_code, str(error)
        except click.ClickException as error:
            return errors.REFUSED_EXIT, error.format_message()
    return 0, ""


def lay(stage: Stage, labels: dict[str, str], annotations: dict[str, str], started: str = "") -> None:
    """Put a good backup there, older than the rest, and then these in the place of what it says."""
    laid(stage, ODD, started=started or "2026-10-01T02:00:00Z", **sealed(**{marks.SCHEDULE: "n"}))
    stage.kubernetes.patch(
        CLAIMS, stage.namespace, ODD, {"metadata": {"labels": dict(labels), "annotations": dict(annotations)}}
    )


def left(stage: Stage) -> set[str]:
    found = stage.kubernetes.list(CLAIMS, stage.namespace)
    return {claim["metadata"]["name"] for claim in found if "deletionTimestamp" not in claim["metadata"]}


def prune(stage: Stage) -> None:
    """Decide and delete, as the workflow does."""
    assert phase(stage, "prune", "decide", *RULES)[0] == 0
    doomed = (stage.folder / "outputs/doomed").read_text()
    assert phase(stage, "prune", "delete", "--doomed", doomed, *RULES)[0] == 0


def check_readers(anew: Callable[[], Stage], labels: dict[str, str], annotations: dict[str, str]) -> None:
    stage = anew()
    lay(stage, labels, annotations)
    for words in COMMANDS:
        code, said = command(stage, *words)
        assert code in {0, 1, 2}, words
        assert "Traceback" not in said
        assert "\x1b" not in said
    for words in PHASES:
        code, said = phase(stage, *words)
        assert code in {0, 1, 2}, (words, said)
        assert "\n" not in said
    claim = stage.kubernetes.get(CLAIMS, stage.namespace, ODD)
    assert claim

    prune(stage)

    assert "night-3" in left(stage)
    if ODD not in left(stage):  # then it was a whole backup, which nobody has pinned or found damaged
        assert marks.sealed(claim)
        assert fields.label(claim, marks.PINNED) in {"", "false"}
        assert not fields.label(claim, marks.DAMAGED)
        assert times.moment(fields.annotation(claim, marks.STARTED))


@pytest.mark.thorough
@given(LABELS, ANNOTATIONS)
@settings(max_examples=6, deadline=None)
def test_a_claim_of_any_labels_spoils_nothing_else_and_nothing_goes_that_the_rules_keep(
    anew: Callable[[], Stage], labels: dict[str, str], annotations: dict[str, str]
) -> None:
    check_readers(anew, labels, annotations)


@pytest.mark.thorough
@given(LABELS, ANNOTATIONS)
@settings(max_examples=200, deadline=None)
def test_many_claims_of_any_labels_spoil_nothing_else(
    anew: Callable[[], Stage], labels: dict[str, str], annotations: dict[str, str]
) -> None:
    check_readers(anew, labels, annotations)


YEAR_1, YEAR_9999 = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"


@pytest.mark.parametrize(
    ("labels", "annotations", "why"),
    [
        ({}, {marks.STARTED: YEAR_1}, "its start time or its workflow is missing"),
        ({}, {marks.STARTED: YEAR_9999}, "its start time or its workflow is missing"),
        ({}, {marks.ENDED: YEAR_1}, f"its annotation {marks.ENDED} is not a time: {YEAR_1}"),
        ({marks.DAMAGED: "00010101T000000Z"}, {}, f"its label {marks.DAMAGED} is not a time: 00010101T000000Z"),
        ({marks.VERIFIED: "yesterday"}, {}, f"its label {marks.VERIFIED} is not a time: yesterday"),
        ({marks.FILES: "9" * 63}, {}, f"its label {marks.FILES} is not a count: {'9' * 63}"),
        ({marks.BYTES: "1.5"}, {}, f"its label {marks.BYTES} is not a count: 1.5"),
        ({marks.PINNED: "yes"}, {}, f"its label {marks.PINNED} is neither true nor false: yes"),
        ({}, {marks.VERIFYING: "half"}, f"its annotation {marks.VERIFYING} is invalid: half"),
    ],
)
def test_what_makes_no_sense_is_unknown_stands_by_the_server_s_clock_and_stays(
    anew: Callable[[], Stage], labels: dict[str, str], annotations: dict[str, str], why: str
) -> None:
    stage = anew()
    lay(stage, labels, annotations)

    (entry,) = (each for each in catalogue.read(stage.connect()) if each.name == ODD)
    assert (entry.state, entry.started) == (BackupState.UNKNOWN, entry.created)
    assert why in entry.why
    prune(stage)
    assert left(stage) == {ODD, "night-3"}


def test_one_of_the_operator_s_that_no_name_can_be_is_unknown_and_nobody_is_asked_for_it(
    anew: Callable[[], Stage],
) -> None:
    stage = anew()
    stage.claim(ODD, metadata={"annotations": {installation.BACKUP_NAME: "../../secrets"}})
    stage.kubernetes.clear_requests()

    (entry,) = (each for each in catalogue.read(stage.connect()) if each.name == ODD)
    assert (entry.state, entry.maker) == (BackupState.UNKNOWN, catalogue.OPERATORS)
    assert {request.resource for request in stage.kubernetes.requests} == {CLAIMS}


@pytest.mark.thorough
def test_more_backups_than_one_argument_holds_by_name_go_in_one_run(anew: Callable[[], Stage]) -> None:
    stage = anew()
    for number in range(1800):
        name = f"threescale-backup-schedule-{number:020}"
        laid(stage, name, started="2026-10-01T02:00:00Z", **sealed(**{marks.SCHEDULE: "n"}))
    made = [claim["metadata"] for claim in stage.kubernetes.list(CLAIMS, stage.namespace)]
    last = max(made, key=lambda metadata: (metadata["creationTimestamp"], metadata["name"]))

    prune(stage)

    assert left(stage) == {"night-3", last["name"]}  # the newest by each clock
    assert len((stage.folder / "outputs/doomed").read_text()) < 1 << 16  # twice in the variable of a pod's template


def test_what_one_run_can_not_hold_is_left_to_the_next(
    anew: Callable[[], Stage], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from steps.phases import prune as the_prune

    caplog.set_level("INFO")
    monkeypatch.setattr(the_prune, "_DELETED_AT_MOST", 1)
    stage = anew()

    prune(stage)

    assert left(stage) == {"night-2", "night-3"}
    assert "left to the next run: 1," in caplog.text
    assert deletion.short("0123456789") == "01234567"
