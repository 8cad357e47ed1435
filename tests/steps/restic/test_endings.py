import json
import re
from pathlib import Path

import pytest

from steps import errors
from steps.restic import endings

# Taken from restic at work: its version, the fault, the command, its exit code, its words, and the error that is meant.
TOLD = json.loads(Path(__file__).with_name("endings.json").read_text())
RETRIED = "Stat(<config/>) returned error, retrying after 1.2s: "


def named(told):
    return f"{told['version']} {told['fault']} {told['command']}"


def of(code, stderr="", command="backup", limit_s=None):
    return endings.of(code, stderr, repository="nightly", command=command, limit_s=limit_s)


@pytest.mark.parametrize("told", TOLD, ids=named)
def test_each_end_of_restic_has_its_error(told):
    error = of(told["code"], told["stderr"], told["command"].split()[0], 15)

    assert (error.code, error.exit_code) == (told["error"], told["exit_code"])


@pytest.mark.parametrize("told", TOLD, ids=named)
def test_a_sentence_names_the_repository_and_quotes_little_of_restic(told):
    error = of(told["code"], told["stderr"], told["command"].split()[0], 15)

    assert "nightly" in str(error) or error.code == "scratch-failed"
    assert len(str(error.facts.get("words", ""))) <= 200
    assert len(str(error)) < 500
    assert not re.search(r"canary|//[^/\s]+:[^/\s]+@|Fatal|message_type", str(error))


@pytest.mark.parametrize("told", TOLD, ids=named)
def test_only_a_lock_and_a_store_without_an_answer_are_worth_another_try(told):
    assert (told["exit_code"] == 75) == (told["error"] in {"repository-locked", "sftp-not-started", "store-unanswered"})


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        ("Stat: 403 Forbidden", errors.StoreRefused),
        ("Stat: The specified bucket does not exist", errors.BucketMissing),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            errors.CertificateNotTrusted,
        ),
        ("Stat: 503 Service Unavailable", errors.StoreUnanswered),
    ],
)
def test_the_cause_of_what_restic_tried_again_decides_where_our_limit_ended_it(cause, kind):
    cut = "signal interrupt received, cleaning up\nFatal: unable to open config file: context canceled\n/repository\n"

    assert type(of(None, f"{RETRIED}{cause}\n\n{cut}", limit_s=30)) is kind


def test_the_last_cause_decides():
    assert type(of(None, f"{RETRIED}503 Service Unavailable\n{RETRIED}403 Forbidden\n")) is errors.StoreRefused


def test_an_answer_at_the_end_outweighs_what_was_tried_again():
    assert (
        type(of(12, f"{RETRIED}503 Service Unavailable\nFatal: wrong password or no key found")) is errors.WrongPassword
    )
    assert type(of(1, f"{RETRIED}503 Service Unavailable\nFatal: Access Denied.")) is errors.StoreRefused


def test_damage_is_named_though_restic_blames_the_source():
    error = of(
        3, "error: tree 1234 could not be loaded; the repository could be damaged\nWarning: at least one source\n"
    )

    assert type(error) is errors.RepositoryDamaged


def test_damage_is_named_though_the_store_stopped_answering_later():
    error = of(1, "pack 1234: does not exist\nLoad(<data/56>, 0, 0) failed: connection refused", "check")

    assert type(error) is errors.RepositoryDamaged


def test_a_store_that_does_not_answer_is_not_called_damaged():
    error = of(1, "ReadFull(<data/1234>): 503 Service Unavailable\nFatal: repository contains errors", "check")

    assert type(error) is errors.StoreUnanswered


def test_a_source_that_may_not_be_read_is_not_taken_for_the_store():
    assert type(of(3, "error: open a: permission denied\nerror: open b: i/o timeout\n")) is errors.SourceUnread


def test_a_lock_is_named_with_its_host_and_age():
    words = (
        "unable to create lock in backend: repository is already locked exclusively by PID 7 on push-1 by root\n"
        "lock was created at 2026-11-30 22:37:25 (12m3.490137836s ago)\n"
    )

    error = of(11, words)

    assert error.facts == {"repository": "nightly", "host": "push-1", "age": "12m3s"}


def test_a_lock_without_words_is_a_lock_too():
    assert of(11).facts == {"repository": "nightly", "host": "unknown", "age": "unknown"}


@pytest.mark.parametrize("code", [-9, 137])
def test_a_killed_restic_names_the_option_of_its_memory(code):
    error = of(code)

    assert type(error) is errors.ResticOutOfMemory
    assert "repository.memory" in str(error)


def test_a_missing_repository_is_named_by_its_kind_and_how_it_is_made():
    error = of(10, "Fatal: repository does not exist\nIs there a repository at the following location?\ngs:bucket:/p\n")

    assert "GCS bucket" in str(error)
    assert "`repository-init=yes`" in str(error)


@pytest.mark.parametrize("code", [-2, -15, 130, 143])
def test_a_restic_that_was_asked_to_stop_is_tried_again(code):
    assert type(of(code, "signal interrupt received, cleaning up\n")) is errors.ResticStopped


def test_silence_within_our_limit_is_no_answer():
    assert "no answer within 30 s" in str(of(None, limit_s=30.0))
    assert "no answer in time" in str(of(None))


def test_unknown_words_are_quoted_with_the_exit_code_or_signal():
    assert of(1, "Fatal: something else.").facts["words"] == "something else"
    assert of(7).facts["ended"] == "exit code 7"
    assert of(-11).facts["ended"] == "signal 11"


def test_what_may_be_private_in_an_address_is_not_quoted():
    error = of(1, 'Fatal: Get "https://user:key@example.com/a?sig=canary": odd')

    assert error.facts["words"] == 'Get "https://***@example.com/a?***": odd'


def test_long_words_are_cut_in_their_middle():
    words = of(1, f"Fatal: the beginning {'x' * 400} the end").facts["words"]

    assert words.startswith("the beginning")
    assert words.endswith("the end")
    assert len(words) == 200


@pytest.mark.parametrize("line", ["[1]", '"text"', '{"other": 1}', '{"error": "Access Denied"}', "null"])
def test_json_of_another_form_is_no_fault(line):
    assert isinstance(of(1, line), errors.PhaseError)
