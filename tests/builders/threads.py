"""Threads that do one thing at once."""

import threading

from steps import errors


def at_once(work, arguments):
    """Run it in threads that start together; what went wrong."""
    failures = []
    together = threading.Barrier(len(arguments))

    def run(argument):
        together.wait()
        try:
            work(argument)
        except errors.PhaseError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=run, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures
