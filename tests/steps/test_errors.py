import contextlib
import inspect
import itertools
import json
import os
import pickle
import re
from pathlib import Path

import pytest

from steps import errors

# which are never raised themselves
ROOTS = (errors.PhaseError, errors.Final, errors.TryAgain, errors.BadArgument, errors.Unanswered)


def raised(kind=errors.PhaseError):
    """All kinds that a phase can end with."""
    below = [each for child in kind.__subclasses__() for each in raised(child)]
    return below if kind in ROOTS else [kind, *below]


def samples(kind, text="the {}"):
    """An argument for each fact of an error, told apart by the fact's name."""
    numbers = itertools.count(4711)
    facts = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        kinds = {
            str: text.format(name),
            int: next(numbers),
            float: next(numbers) + 0.5,
        }
        several = [text.format(f"first of {name}"), text.format(f"second of {name}")]
        facts[name] = next((value for hint, value in kinds.items() if hint.__name__ in str(parameter)), several)
        if "Sequence" in str(parameter):
            facts[name] = several
    return facts


PAGE = Path(__file__).parents[2] / "docs/reference/errors.md"
REFERENCE = [
    "# Errors",
    "",
    "A phase that fails ends with one of these errors. Its message is the last line of the phase's log.",
    "Argo shows the message beside the failed node. On this page the facts are in capitals.",
    "The code generates this page:",
    "`RECORD_GOLDEN=1 .venv/bin/python -m pytest tests/steps/test_errors.py`.",
    "",
]
LONGEST = 32  # words of a sentence, with its facts
AGAIN = {
    "AlreadyExists",
    "ClocksDiffer",
    "Conflict",
    "InstallationGoing",
    "DatabaseClientStopped",
    "DatabaseLockWait",
    "DatabaseLocked",
    "DatabaseNoAnswer",
    "DatabaseSchemaChanged",
    "Interrupted",
    "NoAnswer",
    "NotKnown",
    "NotRemoved",
    "ObjectsGoing",
    "RedisBusy",
    "RedisKeyUnsettled",
    "RedisNoAnswer",
    "RedisReadOnly",
    "RepositoryLocked",
    "ResticStopped",
    "ResyncUnknown",
    "SftpNotStarted",
    "StoreUnanswered",
    "VolumeStale",
    "WorkerLost",
}


@pytest.mark.parametrize("kind", raised(), ids=lambda kind: kind.__name__)
def test_an_error_says_its_facts_on_one_line(kind):
    facts = samples(kind)

    sentence = str(kind(**facts))

    assert "\n" not in sentence
    for fact in facts.values():
        for part in fact if isinstance(fact, list) else [fact]:
            assert str(part).lower() in sentence.lower()


OTHERS = {"WrongCommandLine"}  # whose words are click's


@pytest.mark.parametrize("kind", raised(), ids=lambda kind: kind.__name__)
def test_an_error_is_whole_sentences_of_few_words(kind):
    if kind.__name__ in OTHERS:
        return
    facts = samples(kind)
    text = str(kind(**facts))
    words = re.sub(r"\{.*\}|`[^`]*`", "CODE", text)
    counts = [len(sentence.split()) for sentence in re.split(r"(?<=[.!?])\s+", words)]

    assert text[0] == text[0].upper() or text.startswith(tuple(map(str, facts.values())))
    assert text.endswith(".")
    assert max(counts) <= LONGEST


@pytest.mark.parametrize("kind", raised(), ids=lambda kind: kind.__name__)
def test_an_odd_name_does_not_break_the_sentence(kind):
    sentence = str(kind(**samples(kind, "two\nlines, no \udce9 UTF-8, {}")))

    assert sentence.isprintable()
    assert sentence.encode()


@pytest.mark.parametrize("kind", raised(), ids=lambda kind: kind.__name__)
def test_whether_a_try_more_can_help_is_decided_by_the_kind_of_error(kind):
    assert kind.exit_code == (75 if kind.__name__ in AGAIN else 1)


@pytest.mark.parametrize("kind", raised(), ids=lambda kind: kind.__name__)
def test_an_error_goes_from_one_process_to_another_with_its_facts(kind):
    error = kind(**samples(kind))

    sent = pickle.loads(pickle.dumps(error))  # noqa: S301  our own

    assert type(sent) is kind
    assert (sent.facts, str(sent), sent.exit_code) == (error.facts, str(error), error.exit_code)


@pytest.mark.parametrize("kind", raised(), ids=lambda kind: kind.__name__)
def test_the_facts_of_an_error_are_json_by_their_names(kind):
    facts = samples(kind)

    assert json.loads(json.dumps(kind(**facts).facts)) == facts


@pytest.mark.parametrize("kind", raised(), ids=lambda kind: kind.__name__)
def test_few_of_many_names_are_told_as_all_of_them_would_be(kind):
    facts = samples(kind)
    few = {name: errors.Few.of(fact) if isinstance(fact, list) else fact for name, fact in facts.items()}
    takes_few = "Few" in str(inspect.signature(kind))

    assert not takes_few or str(kind(**few)) == str(kind(**facts))


def test_many_names_are_told_as_the_first_of_them_and_their_count():
    few = errors.Few.of(f"name-{number}" for number in range(13))

    assert errors.ReadFailed(few, "EIO").facts["paths"] == {"first": few.first, "count": 13}


def test_each_error_has_a_code_of_its_own():
    codes = [kind.code for kind in raised()]

    assert errors.ClaimMissing.code == "claim-missing"
    assert len(set(codes)) == len(codes)


def test_a_fact_that_is_prose_becomes_one_sentence_with_one_full_stop():
    assert errors.as_sentence("there is no folder") == "There is no folder."
    assert errors.as_sentence("The claim is gone. Submit again.") == "The claim is gone. Submit again."


def test_an_error_keeps_what_a_context_manager_sets_on_it():
    gone = errors.ClaimGone("nightly", "threescale")
    with pytest.raises(errors.ClaimGone), contextlib.suppress(ValueError):
        raise gone

    assert gone.__traceback__ is not None


def test_the_reference_of_errors_is_as_the_code_says():
    rows = [row for kind in sorted(raised(), key=lambda kind: kind.code) for row in reference_of(kind)]
    text = "\n".join([*REFERENCE, *rows]) + "\n"
    if os.environ.get("RECORD_GOLDEN"):
        PAGE.write_text(text)

    assert PAGE.read_text() == text


def reference_of(kind):
    """The reference of an error: its code, whether another try may help, its facts and its message."""
    told = {name: fact if isinstance(fact, int | float) else name.upper() for name, fact in samples(kind).items()}
    told = {name: [fact, "..."] if isinstance(samples(kind)[name], list) else fact for name, fact in told.items()}
    facts = ", ".join(f"`{name}`" for name in told) or "none"
    again = "75, another try may help" if kind.exit_code == errors.TRY_AGAIN_EXIT else "1"
    sentence = str(kind(**told))
    for name, number in told.items():
        sentence = sentence.replace(str(number), name.upper()) if isinstance(number, int | float) else sentence
    return [f"## {kind.code}", "", f"Exit code {again}. Facts: {facts}.", "", f"> {sentence}", ""]


def test_of_many_names_ten_are_told_and_the_rest_is_counted():
    names = [f"name-{number:02}" for number in range(13)]

    sentence = str(errors.ObjectsMissing("Secret", names, "here"))

    assert "name-09 and 3 more" in sentence
    assert "name-10" not in sentence


def test_of_many_findings_ten_are_told_and_all_are_counted():
    sentence = str(errors.BackupDamaged([f"finding-{number:02}" for number in range(13)]))

    assert "13 finding(s)" in sentence
    assert "finding-09" in sentence
    assert "finding-10" not in sentence


def test_what_is_shown_changes_nothing_on_a_terminal():
    assert errors.printable("caf\u00e9 a\nb\x1b[2J\udce9") == "caf\u00e9 a\\nb\\x1b[2J\\udce9"


def test_the_keys_of_a_repository_are_in_a_secret_or_with_a_person():
    assert errors.holder("threescale-repository") == "Secret threescale-repository"
    assert {errors.holder(each) for each in ("/srv/backups", "s3:https://s3.example.com/b")} == {"the environment"}
