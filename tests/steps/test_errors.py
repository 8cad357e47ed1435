import inspect
import itertools

import pytest

from steps import errors

ROOTS = (errors.PhaseError, errors.Final, errors.TryAgain, errors.BadArgument)  # which are never raised themselves


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


AGAIN = {
    "AlreadyExists",
    "ClaimWithoutVolume",
    "Conflict",
    "InstallationGoing",
    "Interrupted",
    "NoAnswer",
    "NotKnown",
    "NotRemoved",
    "ObjectsGoing",
    "ResyncUnknown",
    "VolumeStale",
    "WorkerLost",
}


@pytest.mark.parametrize("kind", raised(), ids=lambda kind: kind.__name__)
def test_an_error_is_one_sentence_that_names_its_facts(kind):
    facts = samples(kind)

    sentence = str(kind(**facts))

    assert "\n" not in sentence
    assert ". " not in sentence
    assert not sentence.endswith(".")
    for fact in facts.values():
        for part in fact if isinstance(fact, list) else [fact]:
            assert str(part) in sentence


@pytest.mark.parametrize("kind", raised(), ids=lambda kind: kind.__name__)
def test_an_odd_name_does_not_break_the_sentence(kind):
    sentence = str(kind(**samples(kind, "two\nlines, no \udce9 UTF-8, {}")))

    assert sentence.isprintable()
    assert sentence.encode()


@pytest.mark.parametrize("kind", raised(), ids=lambda kind: kind.__name__)
def test_whether_a_try_more_can_help_is_decided_by_the_kind_of_error(kind):
    assert kind.exit_code == (75 if kind.__name__ in AGAIN else 1)


def test_of_many_names_ten_are_told_and_the_rest_is_counted():
    names = [f"name-{number:02}" for number in range(13)]

    sentence = str(errors.ObjectsMissing("Secret", names, "here"))

    assert "name-09 and 3 more missing" in sentence
    assert "name-10" not in sentence


def test_of_many_findings_ten_are_told_and_all_are_counted():
    sentence = str(errors.BackupDamaged([f"finding-{number:02}" for number in range(13)]))

    assert "13 finding(s)" in sentence
    assert "finding-09" in sentence
    assert "finding-10" not in sentence


def test_what_is_shown_changes_nothing_on_a_terminal():
    assert errors.printable("caf\u00e9 a\nb\x1b[2J\udce9") == "caf\u00e9 a\\nb\\x1b[2J\\udce9"
