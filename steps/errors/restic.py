from steps.errors.base import Final, TryAgain


class NoRepository(Final):
    repository: str
    says = "no repository {repository}"


class StoreRefused(Final):
    repository: str
    says = "refused {repository}"


class RepositoryLocked(TryAgain):
    repository: str
    says = "locked {repository}"


class ResticFailed(Final):
    repository: str
    said: str
    says = "failed {repository} {said}"
