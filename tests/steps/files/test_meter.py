"""What several processes have done is counted as one."""

import multiprocessing

from steps.files.meter import Meter, SoFar

TIMES = 50_000


def test_of_what_processes_count_at_once_nothing_is_lost():
    context, meter = multiprocessing.get_context("fork"), Meter()
    together = context.Barrier(2)

    def work(worker):
        meter.enter(worker)
        together.wait()
        for _ in range(TIMES):
            meter.add(entries=1, size_bytes=10)

    meter.add(entries=5)
    workers = [context.Process(target=work, args=(number,)) for number in (1, 2)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()

    assert meter.counts == SoFar(entries=5 + 2 * TIMES, size_bytes=20 * TIMES)


def test_each_note_counts_what_it_names():
    meter = Meter()

    meter.note(times=True)
    meter.note(mode=True, times=True)
    meter.note(owner=True, mode=True, times=True)
    meter.note(widened=True, owner=True, mode=True, times=True)

    assert meter.counts == SoFar(widened=1, ownership_kept=2, modes_refused=3, times_refused=4)
