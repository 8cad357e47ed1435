"""Argo Workflows: its kinds, its version and the settings of its controller."""

from collections.abc import Iterator

from workflows.doctor.finding import Examination, Finding, Patient


def kinds(patient: Patient) -> Iterator[Finding]:
    """Argo's kinds. They are there if Argo Workflows is installed."""
    raise NotImplementedError


EXAMINATIONS: tuple[Examination, ...] = ()
