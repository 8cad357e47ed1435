"""Errors that stop a rehearsal: the engine can't play a manifest, or a real cluster would refuse the manifest.

These are not failures of a workflow. A failed workflow has a phase and a message. With these errors the rehearsal
can't stand for a cluster, so `Engine.submit` ends with an exception.
"""


class RehearsalError(Exception):
    """Base of all errors of a rehearsal."""


class UnknownField(RehearsalError):
    def __init__(self, owner: str, path: str) -> None:
        super().__init__(
            f"In {owner} the rehearsal does not know the field {path}. Remove the field from the manifest."
        )


class UnknownTag(RehearsalError):
    def __init__(self, tag: str, where: str) -> None:
        super().__init__(f"In {where} the tag {{{{{tag}}}}} is unknown. Check its name.")


class UnknownExpression(RehearsalError):
    def __init__(self, expression: str, where: str, why: str) -> None:
        super().__init__(f"In {where} the expression {expression!r} can't be evaluated ({why}). Correct it.")


class UnknownName(RehearsalError):
    def __init__(self, kind: str, name: str, where: str) -> None:
        super().__init__(f"In {where} there is no {kind} {name!r}. Check the name.")


class NoCommand(RehearsalError):
    def __init__(self, template: str) -> None:
        super().__init__(
            f"Template {template} has no `command`, so Argo would ask the registry for the image's own command. "
            "Set a `command`."
        )


class UndeclaredPath(RehearsalError):
    def __init__(self, path: str, where: str) -> None:
        super().__init__(
            f"In {where} the path {path!r} is below no volume mount of the container. Mount a volume there."
        )


class WrittenReadOnly(RehearsalError):
    def __init__(self, mount_path: str, names: list[str], where: str) -> None:
        super().__init__(
            f"In {where} a container wrote below the read-only mount {mount_path}: {', '.join(names[:5])}. "
            "Make the mount writable, or write elsewhere."
        )


class NobodyResumes(RehearsalError):
    def __init__(self, workflow: str, node: str) -> None:
        super().__init__(
            f"In workflow {workflow} nobody resumes {node}, and no `activeDeadlineSeconds` ends the waiting. "
            "Resume the node, or set a deadline."
        )


class PendingForEver(RehearsalError):
    def __init__(self, claim: str, where: str) -> None:
        super().__init__(
            f"In {where} claim {claim!r} does not exist, and nothing ends the waiting. Argo applies a template's "
            "`timeout` to a Pending pod only without `retryStrategy`. Set `activeDeadlineSeconds` of the workflow."
        )
