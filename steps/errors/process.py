"""Processes that were asked to stop or have lost a worker."""

from steps.errors.base import TryAgain


class Interrupted(TryAgain):
    says = "The process was asked to stop (SIGTERM) and stopped at a safe point. The next try resumes from there."


class WorkerLost(TryAgain):
    status: int
    says = (
        "A worker process was killed (exit code {status}). The kernel does this when memory is short. "
        "The next try resumes the work. If this happens again, submit with a smaller -p workers= than before."
    )
