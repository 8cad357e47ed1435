"""`repository adopt`: a plan, a question, and the record in the ConfigMap of the origin."""

import pytest

from steps.repository import origin
from steps.repository.ledger import Known
from tests.builders.commands import ask, run
from tests.builders.forged import NAME, OTHER, OWN, Forged, know

ADOPT = ("repository", "adopt", OTHER)


@pytest.fixture
def forged(tmp_path, monkeypatch, restic_on_path):
    made = Forged(tmp_path, restic_on_path)
    (tmp_path / "password").write_text(made.told["RESTIC_PASSWORD"] + "\n")
    monkeypatch.setenv("RESTIC_REPOSITORY", made.told["RESTIC_REPOSITORY"])
    monkeypatch.setenv("RESTIC_PASSWORD_FILE", str(tmp_path / "password"))
    return made


def answered(stage, answer):
    stage.connect()
    words = (*ADOPT, "-n", stage.namespace, "--kubeconfig", str(stage.folder / "kubeconfig-None"))
    return run(*words, stdin=answer)


def test_the_plan_names_what_is_adopted_and_a_yes_records_it(empty, forged):
    know(empty)
    forged.nights(1)
    forged.save("theirs-1", "2026-10-01 02:00:00", origin=OTHER, namespace="their-api")
    forged.save("theirs-2", "2026-10-02 02:00:00", origin=OTHER, namespace="their-api")

    code, out, err = answered(empty, "y\n")

    assert (code, err) == (0, "")
    assert "their-api/apimanager: 2 snapshots of 2026-10-01 to 2026-10-02, which added " in out
    assert out.endswith(f"origin {OTHER}: adopted by namespace threescale\n")
    assert origin.adopted(empty.connect()) == (OTHER,)
    assert origin.known(empty.connect()) == OWN


def test_a_no_changes_nothing(empty, forged):
    know(empty)
    forged.save("theirs", "2026-10-01 02:00:00", origin=OTHER)

    code, _, err = answered(empty, "n\n")

    assert code == 1
    assert err == f"Error: origin {OTHER} is not adopted, nothing is changed\n"
    assert origin.adopted(empty.connect()) == ()


def test_an_origin_without_snapshots_is_refused(empty, forged):
    know(empty)
    forged.nights(1)

    code, _, err = ask(empty, *ADOPT, "--yes")

    assert code == 1
    assert err.startswith(f"Error: Origin {OTHER} can't be adopted: repository of the environment has no snapshot")
    assert origin.adopted(empty.connect()) == ()


def test_without_the_repository_the_ledger_is_read(empty):
    know(empty, **{"c" * 64: Known(pinned=True)})

    code, out, _ = ask(empty, *ADOPT, "--yes", "--repository", NAME)

    assert code == 0
    assert f"the snapshots of {OTHER} are unknown, because RESTIC_REPOSITORY is not set" in out
    assert f"the ledger of repository {NAME} knows 1 snapshots in all" in out


def test_a_second_one_is_added_and_a_known_one_is_not(empty):
    know(empty, adopted="d" * 16)

    ask(empty, *ADOPT, "--yes")
    code, out, _ = ask(empty, *ADOPT, "--yes")

    assert (code, out) == (0, f"origin {OTHER}: adopted already, nothing is changed\n")
    assert origin.adopted(empty.connect()) == ("d" * 16, OTHER)


def test_the_own_origin_is_refused(empty):
    know(empty)

    code, _, err = ask(empty, "repository", "adopt", OWN, "--yes")

    assert code == 1
    assert "it is the origin of namespace threescale itself" in err
