import json

import pytest

from tests.benchmarks.__main__ import main
from tests.benchmarks.copying import media, rounds

TRIED = ("--sets", "portal", "--media", "local", "--caches", "warm", "--scale", "0.002", "--rounds", "1")


@pytest.fixture
def copy(tmp_path, monkeypatch, capsys):
    """The command in an empty folder: its exit code, what it says and what it answers."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        try:
            code = main(["copy", "--folder", str(tmp_path / "bench"), *words])
        except SystemExit as exited:
            code = exited.code
        out, err = capsys.readouterr()
        return code, err, out

    return run


@pytest.mark.parametrize(
    ("option", "word", "sentence"),
    [
        ("--sets", "portal,protal", "argument --sets: 'protal' is none of portal, small, big, deep"),
        ("--media", "fast", "argument --media: 'fast' is neither local nor a delay such as 1ms"),
        ("--media", "1", "argument --media: '1' is neither local nor a delay such as 1ms"),
        ("--caches", "hot", "argument --caches: 'hot' is none of cold, warm"),
        ("--actions", "backup,", "argument --actions: '' is none of backup, restore, verify"),
        ("--programs", "scp", "argument --programs: 'scp' is none of ours, cp, rsync, tar, cat"),
        ("--workers", "1,many", "argument --workers: 'many' is no number from 1 on"),
        ("--rounds", "0", "argument --rounds: '0' is no number from 1 on"),
        ("--scale", "2", "argument --scale: '2' is no number above 0 and up to 1"),
        ("--scale", "nan", "argument --scale: 'nan' is no number above 0 and up to 1"),
    ],
)
def test_a_word_that_is_mistyped_is_named_with_what_it_could_be(option, word, sentence, copy):
    code, err, _ = copy(option, word)

    assert code == 2
    assert err.splitlines() == [
        "usage: python -m tests.benchmarks copy [options]",
        f"python -m tests.benchmarks copy: error: {sentence}",
    ]


@pytest.mark.thorough
def test_what_was_measured_is_shown_and_kept_and_can_be_shown_again(copy, tmp_path):
    code, _, out = copy(*TRIED, "--actions", "backup", "--programs", "cp")
    kept = json.loads((tmp_path / "rounds.json").read_text())

    assert code == 0
    assert [each["program"] for each in kept["rounds"]] == ["cp -a --reflink=never"]
    assert "cp -a --reflink=never" in out
    assert "not measured  no round of ours is void" in out
    assert copy("--again") == (0, "", out)


def test_there_is_nothing_to_show_again_without_a_file(copy):
    assert copy("--again") == (2, "error: rounds.json holds no rounds\n", "")


def test_an_earlier_file_is_not_shown_where_nothing_can_be_measured(copy, tmp_path):
    (tmp_path / "rounds.json").write_text('{"rounds": [], "start_s": {}}')
    code, err, out = copy(*TRIED, "--programs", "cp", "--actions", "verify")

    assert (code, out) == (2, "")
    assert err.endswith("error: none of what was asked for can be measured here\n")


def test_a_file_that_can_t_be_written_is_told_before_the_first_round(copy, tmp_path):
    code, err, _ = copy(*TRIED, "--output", "absent/rounds.json")

    assert (code, err) == (2, "error: [Errno 2] No such file or directory: 'absent/rounds.json'\n")
    assert not (tmp_path / "bench").exists()


def test_what_is_not_possible_here_is_left_out_and_said(copy, monkeypatch):
    monkeypatch.setattr(media, "missing", lambda: "needs root")
    monkeypatch.setattr(rounds, "caches_can_be_dropped", lambda: False)
    code, err, _ = copy("--sets", "portal", "--scale", "0.002", "--caches", "cold")

    assert code == 2
    assert err.splitlines()[:2] == [
        "left out: the slow medium can't be had: needs root",
        "left out: a cold cache needs root and /proc/sys/vm/drop_caches",
    ]
