"""Why nothing is measured or shown, each in one sentence."""

from pathlib import Path


class Impossible(Exception):
    """What was asked for can't be measured or shown here."""


class MediumFailed(Impossible):
    def __init__(self, what: str) -> None:
        super().__init__(f"the slow medium can't be had: {what}")


class NoRoom(Impossible):
    def __init__(self, folder: Path, needed: float, free: float, unit: str) -> None:
        super().__init__(
            f"{folder} has room for {free:,.0f} {unit}, the sets and two copies of the largest need {needed:,.0f}"
        )


class NoBackup(Impossible):
    def __init__(self, source: Path) -> None:
        super().__init__(f"the copier itself could not back up {source}, so nothing is there to restore or verify")


class NothingToMeasure(Impossible):
    def __init__(self) -> None:
        super().__init__("none of what was asked for can be measured here")


class NoRounds(Impossible):
    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} holds no rounds")
