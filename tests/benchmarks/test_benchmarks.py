import json
import os
import subprocess
import sys

import pytest

from tests.benchmarks import sample, stopwatch
from tests.benchmarks.phase import table

LIMIT_MIB = 64


def measured(*command, kubeconfig="", rounds=1):
    words = [sys.executable, sample.STOPWATCH, str(rounds), sys.executable, *command]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  our own
    if ended.returncode:
        raise ValueError(ended.stderr)
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_saving_the_secrets_needs_less_than_64_mib_of_memory(tmp_path):
    with sample.kubeconfig(tmp_path) as kubeconfig:
        (round_,) = measured(*sample.PHASE, kubeconfig=kubeconfig)

    assert round_["peak_mib"] < LIMIT_MIB


def test_the_start_lasts_until_the_first_line():
    (round_,) = measured("-c", "import time; time.sleep(0.2); print('first')")

    assert round_["start_s"] > 0.2


def test_the_peak_is_the_command_s_own():
    much, little = "print(len(b'x' * 100 * 2**20))", "print()"

    (much,), (little,) = measured("-c", much), measured("-c", little)

    assert much["peak_mib"] > 100
    assert little["peak_mib"] < LIMIT_MIB


def test_each_round_has_an_empty_folder():
    fill = "import pathlib, sys; pathlib.Path(sys.argv[1], 'file').touch(exist_ok=False); print()"

    assert len(measured("-c", fill, stopwatch.FOLDER, rounds=2)) == 2


@pytest.mark.parametrize("command", ["print('why'); raise SystemExit(3)", "pass"], ids=["failed", "silent"])
def test_a_command_that_fails_or_says_nothing_is_not_measured(command):
    with pytest.raises(ValueError, match="ended with"):
        measured("-c", command)


def test_the_table_tells_the_median_and_the_most_memory():
    assert table(24 * 2**20, [0.3, 0.9, 0.2], [44.0, 45.5]).splitlines() == [
        "image on top of its base         24.0 MiB",
        "`secrets`, until its first line  0.30 s    median of 3, 0.20 to 0.90 s",
        "`secrets`, most memory           45.5 MiB",
    ]
