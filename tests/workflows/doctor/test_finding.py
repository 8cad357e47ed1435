"""How examinations are run, and what becomes of their errors."""

import pytest

from steps import errors
from workflows.doctor.finding import Finding, Patient, State, examine, refused


def well(_patient):
    """Well: always."""
    yield Finding(State.OK, "well", "It is well.")


def failing(error):
    def of(_patient):
        raise error
        yield

    of.__doc__ = "The subject: and more."
    return of


@pytest.fixture
def patient(empty):
    return Patient(empty.connect(), lambda _namespace: empty.connect())


def test_an_error_ends_its_own_examination_only(patient):
    found = [*examine(patient, failing(errors.UnknownResource("apimanagers")), well)]

    assert [(each.state, each.what) for each in found] == [(State.ERROR, "The subject"), (State.OK, "well")]
    assert "no resource apimanagers" in found[0].told


def test_what_may_not_be_read_names_the_right_and_not_our_roles(patient):
    refusal = errors.NotAllowed("list", "secrets", "", "api", "forbidden")

    (found,) = examine(patient, failing(refusal))

    assert (found.state, found.told) == (State.NOT_ALLOWED, "Your account is not allowed to list secrets.")
    assert "Roles" not in found.remedy


def test_refusals_of_one_right_are_told_together():
    one = errors.NotAllowed("get", "secrets", "zync", "api", "forbidden")
    more = errors.NamesNotAllowed("secrets", ["my-tls", "my-env"], "api")

    assert refused("x", [one, more]).told == "Your account is not allowed to get secrets my-env, my-tls, zync."


def test_an_error_that_two_examinations_find_is_told_once(patient):
    error = errors.NoApiManager("api")

    assert len([*examine(patient, failing(error), failing(error))]) == 1


def test_no_answer_to_the_first_question_ends_all(patient):
    error = errors.NoAnswer("get", "pods", "", "no connection")

    with pytest.raises(errors.NoAnswer):
        [*examine(patient, failing(error), well)]


def test_no_answer_to_a_later_question_is_an_error_of_that_one(patient):
    error = errors.NoAnswer("get", "pods", "", "no connection")

    assert [each.state for each in examine(patient, well, failing(error), well)] == [
        State.OK,
        State.ERROR,
        State.OK,
    ]


def test_an_unknown_account_ends_all(patient):
    with pytest.raises(errors.NotKnown):
        [*examine(patient, well, failing(errors.NotKnown("server")))]
