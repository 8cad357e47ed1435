"""A restore with another wildcard domain: rewrite the domain in exactly three places, and list all other places.

The old domain may also be in the address of a mail server or a database that does not move. The tenants' hosts are in
System's database, which only 3scale can change.
"""

import base64
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass

from steps import errors
from steps.contract import values
from steps.kubernetes import fields
from steps.kubernetes.kinds import Object


@dataclass(frozen=True)
class Move:
    """From one wildcard domain to another."""

    old: str
    new: str

    @classmethod
    def to(cls, old: str, new: str) -> "Move | None":
        """Return the move to the requested domain, None if nothing changes.

        Raises:
            errors.BadDomain

        """
        if not new or new == old:
            return None
        if not values.DOMAIN.fits(new):
            raise errors.BadDomain(new)
        return cls(old, new)

    @property
    def left_to_do(self) -> str:
        """The part that only 3scale can change: porta creates the Routes from its database, not from the APIManager."""
        return (
            f"left to you: System's database keeps hosts under {self.old} (accounts: domain, self_domain; proxies: "
            f"endpoint, sandbox_endpoint). Change them to {self.new} in the database, "
            "then run `bundle exec rake zync:resync:domains` in a pod of system-sidekiq"
        )

    def rewritten(self, obj: Object) -> Object:
        """Return an object of a backup with 3scale's own domain replaced by the new one."""
        changed = copy.deepcopy(obj)
        data = changed.get("data") or {}
        match obj["kind"], obj["metadata"]["name"]:
            case "APIManager", _:
                changed["spec"]["wildcardDomain"] = self.new
            case "Secret", "backend-listener" if address := _decoded(data.get("route_endpoint")):
                data["route_endpoint"] = _encoded(self._moved(address))
            case "ConfigMap", "system-environment" if data.get("THREESCALE_SUPERDOMAIN") == self.old:
                data["THREESCALE_SUPERDOMAIN"] = self.new
        return changed

    def rewrites(self, obj: Object) -> Iterator[str]:
        """Yield the places that are rewritten in an object, as `Kind name: key`."""
        after = _texts(self.rewritten(obj))
        yield from (f"{_name(obj)}: {key}" for key, text in _texts(obj).items() if text != after[key])

    def others(self, obj: Object) -> Iterator[str]:
        """Yield the other places with the old domain, which stay as they are."""
        word = re.compile(rf"(?<![-A-Za-z0-9]){re.escape(self.old)}(?![-A-Za-z0-9]|\.[A-Za-z0-9])", re.IGNORECASE)
        after = _texts(self.rewritten(obj))
        stays = {key: text for key, text in _texts(obj).items() if text == after[key]}
        yield from (f"{_name(obj)}: {key}" for key, text in stays.items() if word.search(text))

    def stays(self, host: str) -> bool:
        """Return whether a host is outside the old domain."""
        return host != self.old and not host.endswith(f".{self.old}")

    def _moved(self, url: str) -> str:
        """Return an address with its host moved from the old domain to the new one."""
        return re.sub(rf"^([a-z]+://(?:[^/:]*\.)?){re.escape(self.old)}(?=[:/]|$)", rf"\g<1>{self.new}", url)


def _name(obj: Object) -> str:
    return f"{obj['kind']} {obj['metadata']['name']}"


def _texts(obj: Object) -> dict[str, str]:
    """Return all texts of an object by key or path: the values of a Secret or ConfigMap, the fields of a spec."""
    if obj["kind"] == "Secret":
        return {key: _decoded(value) for key, value in (obj.get("data") or {}).items()}
    if obj["kind"] == "ConfigMap":
        binary = {key: _decoded(value) for key, value in (obj.get("binaryData") or {}).items()}
        return {**(obj.get("data") or {}), **binary}
    return {path: value for path, _, value in fields.walk(obj.get("spec"), "spec") if isinstance(value, str)}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(value: str | None) -> str:
    """Return a Secret's value as text. A value that is not text holds no domain, so it is empty."""
    try:
        return base64.b64decode(value or "").decode()
    except ValueError:  # not base64, or not text
        return ""
