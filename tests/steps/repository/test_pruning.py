"""Pruning and repair of a real repository."""

import logging

import pytest

from steps import errors
from steps.contract import names
from steps.repository import pruning
from tests.builders.forged import NAME, Forged, configmap, install, noted
from tests.conftest import Stage


@pytest.fixture
def forged(empty, tmp_path, restic_on_path):
    made = Forged(tmp_path, restic_on_path)
    install(empty, made)
    return made


def prune(stage: Stage, forged: Forged, tmp_path) -> int:
    with forged.opened() as restic:
        return pruning.prune(restic, stage.connect("threescale-repository-prune"), tmp_path / "scratch")


def damaged(stage: Stage, *packs: str) -> None:
    configmap(stage, names.LEDGER.format(NAME), {"damaged-packs": ",".join(packs)})


def test_the_room_of_a_forgotten_snapshot_is_freed(empty, forged, tmp_path):
    first, _ = forged.nights(2)
    before = len(forged.packs)
    with forged.opened() as restic:
        restic.run("forget", first)

    assert prune(empty, forged, tmp_path) == 0
    assert len(forged.packs) < before


@pytest.mark.thorough
def test_a_damaged_pack_and_a_missing_one_are_taken_out_and_the_next_push_heals(empty, forged, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (old,) = forged.nights(1)
    packs = forged.packs
    packs[0].unlink()
    packs[1].write_bytes(b"x" + packs[1].read_bytes()[1:])
    damaged(empty, *(each.name for each in packs), "strange; rm -rf")

    assert prune(empty, forged, tmp_path) == 2
    assert "damaged-packs" not in noted(empty)
    assert not list((tmp_path / "scratch").glob("pack-*"))
    assert not {each.name for each in packs} & {each.name for each in forged.packs}

    (new,) = forged.nights(
        1
    )  # the same content again; the folders above it have other times, so the old one stays lost
    with forged.opened() as restic:
        restic.run("forget", old)
        assert restic.run("dump", new, str(forged.tree / "manifest.json")) == b"night-1"
        restic.run("check", "--read-data")
    assert prune(empty, forged, tmp_path) == 0


def test_credentials_that_may_not_delete_are_named(empty, forged, tmp_path, monkeypatch):
    def refused(*_words, **_more):
        raise errors.StoreRefused(NAME, "prune", "403 Forbidden")

    monkeypatch.setattr(pruning.locks, "lines", refused)

    with pytest.raises(errors.MayNotPrune, match=r"may not delete.*repository\.pruneSecrets"):
        prune(empty, forged, tmp_path)
