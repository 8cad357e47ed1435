"""A process that was asked to stop, or lost a worker."""

from steps.errors.base import TryAgain


class Interrupted(TryAgain):
    says = "asked to stop (SIGTERM); stopped at a safe point, another try goes on from there"


class WorkerLost(TryAgain):
    status: int
    says = (
        "a worker process was killed (exit code {status}), as the kernel does where memory is short; another "
        "try goes on from there: give the phase more memory or fewer `--workers` if it happens again"
    )
