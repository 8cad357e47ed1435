from dataclasses import replace

import pytest

from tests.benchmarks.copying import gate, programs, table
from tests.benchmarks.copying.plan import Case, Round
from tests.benchmarks.copying.programs import CP, RSYNC

CASE = Case("portal", 1.0, 5000, 2**20, "local", "cold", "backup")
SLOW = replace(CASE, medium="1ms", cache="warm")
OURS = programs.ours(4)


def of(case, program, *seconds, **more):
    return [Round(case, program, number, seconds=each, **more) for number, each in enumerate(seconds)]


def verdicts(*found):
    return {each.line: each.passed for each in gate.judge([round_ for each in found for round_ in each])}


def test_the_table_shows_the_median_of_the_rounds_that_count():
    void = replace(of(CASE, RSYNC, 9.0)[0], void="why")
    found = [*of(CASE, OURS, 1.0, 3.0, 2.0, peak_mib=30, cpu_s=1), *of(CASE, RSYNC, 4.0), void]
    _title, _head, own, rsync, *_rest = table.lines(found)

    assert " ".join(own.split()) == "ours, 4 workers 2.00 1.00 3.00 0.50x - 0.5 1.00 30 3 of 3"
    assert rsync.endswith("1 of 2")


@pytest.mark.parametrize(("seconds", "passed"), [(1.0, True), (1.01, False)])
def test_locally_it_is_not_slower_than_rsync(seconds, passed):
    found = verdicts(of(CASE, OURS, seconds), of(CASE, RSYNC, 1.0))

    assert found["locally not slower than rsync -a, portal, cold cache"] is passed


@pytest.mark.parametrize(("workers", "seconds", "passed"), [(8, 1.0, True), (8, 1.1, False), (4, 0.1, None)])
def test_under_1_ms_it_is_3_times_faster_with_8_workers(workers, seconds, passed):
    found = verdicts(of(SLOW, programs.ours(workers), seconds), of(SLOW, RSYNC, 3.0))
    line = "under 1 ms and with 8 workers at least 3x faster than rsync -a"

    assert found.get(f"{line}, portal, 1ms", found.get(line)) is passed


@pytest.mark.parametrize(("peak_mib", "passed"), [(256, True), (257, False)])
def test_deep_takes_at_most_256_mib(peak_mib, passed):
    found = verdicts(of(replace(CASE, set="deep"), OURS, 1.0, peak_mib=peak_mib))

    assert found["at most 256 MiB at deep, cold cache, backup"] is passed


def test_what_deep_takes_with_more_workers_than_it_is_judged_with_is_only_shown():
    deep = replace(CASE, set="deep")
    found = verdicts(of(deep, OURS, 1.0, peak_mib=200), of(deep, programs.ours(16), 1.0, peak_mib=300))

    assert found["at most 256 MiB at deep, cold cache, backup"] is True


def test_a_set_that_is_smaller_than_the_gate_asks_for_is_called_so():
    found = verdicts(of(replace(CASE, set="deep", scale=0.01), OURS, 1.0, peak_mib=30))

    assert "at most 256 MiB at deep at 0.01, cold cache, backup" in found


@pytest.mark.parametrize(("void", "passed"), [("why", False), ("", True)])
def test_a_void_round_of_ours_is_a_failure(void, passed):
    assert verdicts(of(CASE, OURS, 1.0, void=void))["no round of ours is void"] is passed


def test_a_cold_and_a_warm_cache_are_judged_apart():
    warm = replace(CASE, cache="warm")
    found = verdicts(of(CASE, OURS, 1.0), of(CASE, RSYNC, 2.0), of(warm, OURS, 2.0), of(warm, RSYNC, 1.0))

    assert found["locally not slower than rsync -a, portal, cold cache"] is True
    assert found["locally not slower than rsync -a, portal, warm cache"] is False


def test_a_restore_is_held_against_the_backup():
    restore = of(replace(CASE, action="restore"), OURS, 2.0)
    found = verdicts(of(CASE, OURS, 1.0), restore)

    assert found["restore no slower than backup, portal, cold cache"] is False


@pytest.mark.parametrize(("seconds", "passed"), [(1.25, True), (1.3, False)])
def test_verify_is_held_against_a_plain_read_by_as_many(seconds, passed):
    case = replace(CASE, action="verify")
    found = verdicts(of(case, OURS, seconds), of(case, programs.plain_read(4), 1.0))

    assert found["verify at 80% of a plain parallel read, portal, cold cache"] is passed


def test_verify_is_not_held_against_reading_what_lies_in_memory():
    case = replace(CASE, action="verify", cache="warm")
    found = verdicts(of(case, OURS, 9.0), of(case, programs.plain_read(4), 1.0))

    assert set(found.values()) == {None, True}


@pytest.mark.parametrize(("name", "seconds"), [("portal", 0.6), ("small", 0.6), ("big", 1.05)])
@pytest.mark.parametrize("more", [0, 0.01])
def test_the_aim_is_a_share_of_the_time_of_cp(name, seconds, more):
    case = replace(CASE, set=name)
    found = verdicts(of(case, OURS, seconds + more), of(case, CP, 1.0))

    assert found[f"aim: {seconds:g} of cp -a, {name}, cold cache"] is not bool(more)


def test_what_was_not_measured_is_neither_passed_nor_failed():
    assert set(verdicts().values()) == {None}
