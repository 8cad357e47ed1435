"""That faults strike: a test whose fault never came about would prove nothing."""

import errno

import pytest

from tests.steps.faults.border import COMPILER, Border
from tests.steps.faults.plan import SHORT, VANISH, Call, Fault

READV = pytest.param(Call.READ, True, id="READV")  # into memory that is there, as a large file's blocks are read
NO_COMPILER = "no C compiler: the faults come from a seam in Python's `os`, not from the border to the system"


@pytest.fixture(scope="module", params=["preloaded", "seam"])
def either(request, border, tmp_path_factory):
    """The border, and the seam that stands in for it where there is no compiler."""
    if request.param == "preloaded" and not COMPILER:
        pytest.skip(NO_COMPILER)
    if border.is_seam == (request.param == "seam"):
        yield border
        return
    seam = Border(tmp_path_factory.mktemp("seam"), None, seam=True)
    yield seam
    seam.stop()


@pytest.fixture
def file(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(bytes(100))
    return tmp_path / "folder/file"


@pytest.mark.parametrize(("call", "vector"), [*(pytest.param(call, False, id=call.name) for call in Call), READV])
def test_the_call_that_is_meant_fails_and_processes_count_together(either, call, vector, file):
    done = 100 if call in {Call.READ, Call.WRITE} else 0
    fault = Fault(call, "*/folder/file", errno.ESTALE, first=2, last=2)

    ended = either.ask("probe", [fault], call=call, vector=vector, path=str(file))

    assert (ended.facts, ended.struck) == ({"here": done, "forked": -errno.ESTALE}, [1])


@pytest.mark.parametrize(
    ("call", "vector"),
    [*(pytest.param(call, False, id=call.name) for call in (Call.READ, Call.WRITE)), READV],
)
def test_a_short_call_does_half_of_what_it_is_asked(either, call, vector, file):
    ended = either.ask("probe", [Fault(call, "*/folder/file", SHORT)], call=call, vector=vector, path=str(file))

    assert (ended.facts, ended.struck) == ({"here": 50, "forked": 50}, [2])


def test_a_folder_goes_away_under_the_hands_of_who_reads_in_it(either, file):
    fault = Fault(Call.READ, "*/folder/file", VANISH, last=1)

    ended = either.ask("probe", [fault], call=Call.READ, vector=False, path=str(file))

    assert (ended.facts, ended.struck) == ({"here": 100, "forked": -errno.ENOENT}, [1])
    assert not file.parent.exists()


def test_a_fault_that_never_struck_fails_its_test(border, small, tmp_path):
    (tmp_path / "backup").mkdir()

    with pytest.raises(pytest.fail.Exception, match="never struck"):
        border.save(tmp_path / "backup", 1, small.source, Fault(Call.READ, "*/nowhere", errno.EIO))
