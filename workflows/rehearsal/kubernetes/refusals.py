"""The error answers of the API server.

The steps decide by status, reason and message whether to try again, and people read the message. So the texts are those
of a real API server.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from workflows.rehearsal.kubernetes.kinds import Object

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflows.rehearsal.kubernetes.kinds import Kind
    from workflows.rehearsal.kubernetes.routing import Request


class Refused(Exception):
    """An answer other than success, as the Status object that a client receives."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}

    def status(self) -> Object:
        """Return the refusal as a Status object."""
        status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        if self.details:
            status["details"] = self.details
        return status | {"code": self.code}


def unauthorized() -> Refused:
    """Refuse an unknown token."""
    return Refused(401, "Unauthorized", "Unauthorized")


def bad_request(message: str) -> Refused:
    """Refuse a request that can't be read."""
    return Refused(400, "BadRequest", message)


class Unreadable(Refused):
    """A field of an object has another type than its kind requires. `why` says which."""

    def __init__(self, kind: Kind, why: str) -> None:
        message = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: {why}'
        super().__init__(400, "BadRequest", message)
        self.why = why


def unreadable_patch(patched: Object, why: str) -> Refused:
    """Refuse a patch that makes an object unreadable.

    As on a real server, the answer quotes the whole object, even a Secret.
    """
    problem = f"Invalid value: {json.dumps(json.dumps(patched))}: {why}"
    causes = [{"reason": "FieldValueInvalid", "message": problem, "field": "patch"}]
    return Refused(422, "Invalid", f' "" is invalid: patch: {problem}', {"causes": causes})


def no_such_path() -> Refused:
    """Refuse a path below a known API that leads nowhere."""
    return Refused(404, "NotFound", "the server could not find the requested resource")


def no_such_method() -> Refused:
    """Refuse a method that the resource does not have."""
    return Refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unknown_format(accepted: Sequence[str]) -> Refused:
    """Refuse a body because of its content type."""
    types = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {types}"
    return Refused(415, "UnsupportedMediaType", message)


def not_acceptable() -> Refused:
    """Refuse to answer in an unsupported format."""
    types = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    message = f"only the following media types are accepted: {types}"
    return Refused(406, "NotAcceptable", message)


def expired() -> Refused:
    """Refuse to continue a list that is no longer kept."""
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter."
    )
    return Refused(410, "Expired", message)


def not_found(kind: Kind, name: str) -> Refused:
    """Refuse a request for an object that does not exist."""
    return Refused(404, "NotFound", f'{kind.qualified} "{name}" not found', _details(kind, name))


def already_exists(kind: Kind, name: str, *, going: bool = False) -> Refused:
    """Refuse a create with a used name, even if the name may be free soon."""
    message = f'{"object is being deleted: " if going else ""}{kind.qualified} "{name}" already exists'
    return Refused(409, "AlreadyExists", message, _details(kind, name))


def conflict(kind: Kind, name: str, why: str = "") -> Refused:
    """Refuse a write to another version of the object."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return Refused(409, "Conflict", message, _details(kind, name))


def invalid(kind: Kind, name: str, field: str, problem: str, why: str = "FieldValueInvalid") -> Refused:
    """Refuse an object because of one of its fields."""
    causes = [{"reason": why, "message": problem, "field": field}]
    details = {"name": name, "group": kind.group, "kind": kind.name, "causes": causes}
    qualified = f"{kind.name}.{kind.group}" if kind.group else kind.name
    message = f'{qualified} "{name}" is invalid: {field}: {problem}'
    return Refused(422, "Invalid", message, {key: value for key, value in details.items() if value})


def unknown_dry_run(does: str, asked: Sequence[str]) -> Refused:
    """Refuse an unknown kind of dry run."""
    problem = f'Unsupported value: {json.dumps(asked, separators=(",", ":"))}: supported values: "All"'
    causes = [{"reason": "FieldValueNotSupported", "message": problem, "field": "dryRun"}]
    group, kind = "meta.k8s.io", f"{does}Options"
    details = {"group": group, "kind": kind, "causes": causes}
    return Refused(422, "Invalid", f'{kind}.{group} "" is invalid: dryRun: {problem}', details)


def forbidden_path(user: str, path: str) -> Refused:
    """Refuse a path without a resource to a user without the right."""
    return Refused(403, "Forbidden", f'forbidden: User "{user}" cannot get path "{path}"')


def forbidden(request: Request, verb: str, because: str = "") -> Refused:
    """Refuse a request that no Role allows."""
    resource = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
    scope = f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
    qualified = f"{request.resource}.{request.group}" if request.group else request.resource
    name = "" if verb == "create" and not request.subresource else request.name
    subject = f'{qualified} "{name}"' if name else qualified
    asked = f'cannot {verb} resource "{resource}" in API group "{request.group}" {scope}'
    details = {key: value for key, value in _named(request, name).items() if value}
    return Refused(403, "Forbidden", f'{subject} is forbidden: User "{request.user}" {asked}{because}', details)


def _named(request: Request, name: str) -> Object:
    return {"name": name, "group": request.group, "kind": request.resource}


def _details(kind: Kind, name: str) -> Object:
    group = {"group": kind.group} if kind.group else {}
    return {"name": name, **group, "kind": kind.resource}
