"""Where a rehearsal stops, because a manifest asks for what the engine does not play or a cluster would refuse.

These are not failures of a workflow: a workflow that fails has a phase and a message. These say that the rehearsal
itself can't stand for the cluster, and so they end `Engine.submit` with an exception.
"""


class RehearsalError(Exception):
    """Base of all."""


class UnknownField(RehearsalError):
    def __init__(self, owner: str, path: str) -> None:
        super().__init__(f"{owner}: the rehearsal does not know the field {path}")


class UnknownTag(RehearsalError):
    def __init__(self, tag: str, where: str) -> None:
        super().__init__(f"{where}: nothing is known under the tag {{{{{tag}}}}}")


class UnknownExpression(RehearsalError):
    def __init__(self, expression: str, where: str, why: str) -> None:
        super().__init__(f"{where}: can't evaluate {expression!r}: {why}")


class UnknownName(RehearsalError):
    def __init__(self, kind: str, name: str, where: str) -> None:
        super().__init__(f"{where}: there is no {kind} {name!r}")


class NoCommand(RehearsalError):
    def __init__(self, template: str) -> None:
        super().__init__(
            f"template {template}: without a `command` Argo asks the registry what the image would run; set one"
        )


class UndeclaredPath(RehearsalError):
    def __init__(self, path: str, where: str) -> None:
        super().__init__(f"{where}: {path!r} lies below none of the container's volume mounts")


class WrittenReadOnly(RehearsalError):
    def __init__(self, mount_path: str, names: list[str], where: str) -> None:
        super().__init__(f"{where}: wrote below the read-only mount {mount_path}: {', '.join(names[:5])}")


class NobodyResumes(RehearsalError):
    def __init__(self, workflow: str, node: str) -> None:
        super().__init__(f"workflow {workflow}: nobody resumes {node}, and no `activeDeadlineSeconds` ends the waiting")


class PendingForEver(RehearsalError):
    def __init__(self, claim: str, where: str) -> None:
        super().__init__(
            f"{where}: claim {claim!r} does not exist, and nothing ends the waiting: Argo applies a template's "
            "`timeout` to a Pending pod only without `retryStrategy`, and the workflow has no `activeDeadlineSeconds`"
        )
