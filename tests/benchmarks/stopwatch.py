"""Runs a command again and again: the time until its first line, its peak memory. The image's Python is all it needs.

A process starts with its parent's peak (`ru_maxrss` outlives exec), so what measures is small and a process of its own:
`python stopwatch.py ROUNDS COMMAND ...` prints a JSON object a round.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

FOLDER = "{folder}"  # in a word of the command: a folder, empty in each round


def run(command: list[str]) -> dict[str, float]:
    """Run it once: `start_s` from the process's start to its first line, `cpu_s` and `peak_mib` to its end."""
    with tempfile.TemporaryDirectory() as folder:
        words = [word.replace(FOLDER, folder) for word in command]
        started = time.monotonic()
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # noqa: S603  the caller's
        assert process.stdout is not None
        with process.stdout as stream:
            said = stream.readline()
            start_s = time.monotonic() - started
            said += stream.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not said:
        raise SystemExit(f"`{' '.join(words)}` ended with {process.returncode}:\n{said.decode()}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return {"start_s": start_s, "cpu_s": cpu_s, "peak_mib": usage.ru_maxrss / 1024}


if __name__ == "__main__":
    for _ in range(int(sys.argv[1])):
        print(json.dumps(run(sys.argv[2:])), flush=True)  # noqa: T201  its answer
