"""Another wildcard domain for a restored installation: what is rewritten, exactly three places, and what is only named.

The old domain may stand anywhere else, in the address of a mail server or a database that stays where it is; and what
the tenants are called by lies in System's database, which only 3scale can change.
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
        """The move to a domain that was asked for; None where nothing changes.

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
        """What only 3scale can change: porta makes the Routes from its database, whatever the APIManager says."""
        return (
            f"left to you: System's database keeps hosts under {self.old} (accounts: domain, self_domain; proxies: "
            f"endpoint, sandbox_endpoint). Change them to {self.new} in the database, "
            "then run `bundle exec rake zync:resync:domains` in a pod of system-sidekiq"
        )

    def rewritten(self, obj: Object) -> Object:
        """An object of a backup with the new domain where 3scale's own is."""
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
        """Name what is rewritten of an object, as `Kind name: key`."""
        after = _texts(self.rewritten(obj))
        yield from (f"{_name(obj)}: {key}" for key, text in _texts(obj).items() if text != after[key])

    def others(self, obj: Object) -> Iterator[str]:
        """Name where else the old domain stands, and stays."""
        word = re.compile(rf"(?<![-A-Za-z0-9]){re.escape(self.old)}(?![-A-Za-z0-9]|\.[A-Za-z0-9])", re.IGNORECASE)
        after = _texts(self.rewritten(obj))
        stays = {key: text for key, text in _texts(obj).items() if text == after[key]}
        yield from (f"{_name(obj)}: {key}" for key, text in stays.items() if word.search(text))

    def stays(self, host: str) -> bool:
        """Whether a host does not lie under the old domain."""
        return host != self.old and not host.endswith(f".{self.old}")

    def _moved(self, url: str) -> str:
        """An address whose host lies under the old domain, under the new one."""
        return re.sub(rf"^([a-z]+://(?:[^/:]*\.)?){re.escape(self.old)}(?=[:/]|$)", rf"\g<1>{self.new}", url)


def _name(obj: Object) -> str:
    return f"{obj['kind']} {obj['metadata']['name']}"


def _texts(obj: Object) -> dict[str, str]:
    """All text of an object by key or path: the values of a Secret or ConfigMap, the fields of a spec."""
    if obj["kind"] == "Secret":
        return {key: _decoded(value) for key, value in (obj.get("data") or {}).items()}
    if obj["kind"] == "ConfigMap":
        binary = {key: _decoded(value) for key, value in (obj.get("binaryData") or {}).items()}
        return {**(obj.get("data") or {}), **binary}
    return {path: value for path, _, value in fields.walk(obj.get("spec"), "spec") if isinstance(value, str)}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(value: str | None) -> str:
    """A Secret's value as text; what is none holds no domain."""
    try:
        return base64.b64decode(value or "").decode()
    except ValueError:  # no base64, or no text
        return ""
