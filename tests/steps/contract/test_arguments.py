import json

import pytest

from steps import errors
from steps.contract import arguments
from steps.contract.arguments import Given

KNOWN = ["name", "storage-request", "storage-class", "plan", "schedule"]
CRON = "workflows.argoproj.io/cron-workflow"


def given(values, labels=None):
    """What Argo says: also what the template says of those that it declares."""
    told = [{"name": name, "value": value, "enum": ["a"], "description": "b"} for name, value in values.items()]
    return Given.read(json.dumps(told), json.dumps(labels))


def test_known_names_pass_whatever_their_values():
    given({"name": "\n{{x}}", "plan": ""}).check(KNOWN)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("storge-request", "'storge-request' (storage-request?)"),
        ("Name", "'Name' (name?)"),
        ("x", "no argument 'x'. Nothing"),
        ("storage-request\n\x1b[2J", r"'storage-request\n\x1b[2J' (storage-request?)"),
        ("s" * 1_000_000, "sss"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(name, sentence):
    with pytest.raises(errors.UnknownArguments) as caught:
        given({"name": "a", name: "20Gi"}).check(KNOWN)

    assert sentence in str(caught.value)
    assert "Nothing was done" in str(caught.value)
    assert len(str(caught.value)) < 4096


@pytest.mark.parametrize("text", ["", "{", "7", "null", "[7]", '["a"]', '[{"value": "1"}]', "[" * 100_000])
def test_what_is_no_list_of_arguments_is_one_sentence(text):
    with pytest.raises(errors.ArgumentsUnread):
        Given.read(text, "{}")


@pytest.mark.parametrize("text", ["", "{", "7"])
def test_what_are_no_labels_is_one_sentence(text):
    with pytest.raises(errors.ArgumentsUnread):
        Given.read("[]", text)


def test_a_schedule_is_told_by_the_label_of_what_it_starts():
    assert given({}, {CRON: "nightly"}).by_schedule
    assert not given({}, {"a": "b"}).by_schedule
    assert not given({}).by_schedule


@pytest.mark.parametrize(
    ("operation", "word", "planned"),
    [
        ("backup", "only", True),
        ("backup", "no", False),
        ("backup", "yes", False),
        ("restore", "yes", False),
        ("prune", "yes", True),
        ("prune", "only", True),
        ("prune", "", False),
    ],
)
def test_only_is_the_word_for_a_plan_and_prune_knows_its_old_one_too(operation, word, planned):
    assert arguments.is_plan(operation, word) is planned
    assert (word in arguments.words(operation)) is (planned or word == "no")
