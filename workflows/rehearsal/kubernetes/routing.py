"""How an API server reads a request: path and method give the action and the object."""

from __future__ import annotations

from dataclasses import dataclass

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True)
class Request:
    """One request for a resource.

    A create has the name in its body, but an API server authorizes it without knowing the name.
    """

    user: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    dry_run: bool = False

    @property
    def target(self) -> str:
        """Return resource and subresource as a Role writes them."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True)
class Path:
    """A path below `/api` or `/apis` that names objects."""

    group: str
    version: str
    namespace: str
    resource: str
    name: str
    subresource: str


def parse(path: str) -> Path | None:
    """Read a path. Return None for a path without a resource, such as `/version`."""
    match path.strip("/").split("/"):
        case ["api", "v1", *rest] if rest:
            return _below("", "v1", rest)
        case ["apis", group, version, *rest] if rest:
            return _below(group, version, rest)
        case _:
            return None


def _below(group: str, version: str, rest: list[str]) -> Path:
    namespace = ""
    match rest:
        case ["namespaces", namespace, _, *_]:
            rest = rest[2:]
        case ["namespaces", namespace]:  # a namespace lies in itself, so that a Role there can allow to read it
            pass
    resource, name, subresource = (*rest, "", "")[:3]
    return Path(group, version, namespace, resource, name, subresource)


def verb(method: str, name: str) -> str:
    """Return the verb of a method on one object, or on all of them."""
    if method in {"GET", "HEAD"}:
        return "get" if name else "list"
    if method == "DELETE" and not name:
        return "deletecollection"
    return _VERBS.get(method, method.lower())
