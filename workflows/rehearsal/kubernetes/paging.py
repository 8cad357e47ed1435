"""Lists in pages, and lists of metadata alone.

All pages of a list show the same moment, as on a real server, which reads them from one version of its storage. When
that version is compacted, the rest of the list can't be read: 410 Expired (apiserver, storage/etcd3).
"""

from __future__ import annotations

import re
import threading
import uuid
from collections import OrderedDict
from typing import NamedTuple

from workflows.rehearsal.kubernetes import refusals
from workflows.rehearsal.kubernetes.kinds import Object

META = "meta.k8s.io/v1"
PARTIAL = "PartialObjectMetadata"
_TOKEN = re.compile(r"[0-9a-f]{32}")
_KEPT = 64  # unfinished lists; a client does not say when it drops one


class Page(NamedTuple):
    """A part of a list.

    `token`: request the next page with it; empty at the end. `left`: how many objects follow.
    """

    version: str
    items: list[Object]
    token: str = ""
    left: int = 0


class Pages:
    """The lists that clients are reading."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begun: OrderedDict[str, tuple[str, list[Object]]] = OrderedDict()

    def first(self, version: str, items: list[Object], limit: str) -> Page:
        """Return the first page of a list."""
        return self._page(version, items, _read(limit))

    def next(self, token: str, limit: str) -> Page:
        """Return the page for a token. An unknown token belongs to a version that no longer exists."""
        if not _TOKEN.fullmatch(token):
            raise refusals.bad_request("continue key is not valid: illegal base64 data at input byte 0")
        with self._lock:
            found = self.begun.get(token)
        if found is None:
            raise refusals.expired()
        return self._page(*found, _read(limit))

    def _page(self, version: str, items: list[Object], limit: int) -> Page:
        if limit <= 0 or len(items) <= limit:
            return Page(version, items)
        token, rest = uuid.uuid4().hex, items[limit:]
        with self._lock:
            self.begun[token] = version, rest
            while len(self.begun) > _KEPT:
                self.begun.popitem(last=False)
        return Page(version, items[:limit], token, len(rest))


def of_metadata(accept: str) -> bool:
    """Whether the Accept header of a client requests only the metadata of a list."""
    _, *parameters = (part.strip() for part in accept.partition(",")[0].split(";"))
    asked = dict(part.partition("=")[::2] for part in parameters)
    if not asked.get("as"):
        return False
    if (asked["as"], asked.get("g"), asked.get("v")) != (f"{PARTIAL}List", *META.split("/")):
        raise refusals.not_acceptable()
    return True


def partial(obj: Object) -> Object:
    """Return the metadata of an object as a PartialObjectMetadata."""
    return {"kind": PARTIAL, "apiVersion": META, "metadata": obj["metadata"]}


def _read(limit: str) -> int:
    try:
        return int(limit or 0)
    except ValueError as error:
        raise refusals.bad_request(f'strconv.ParseInt: parsing "{limit}": invalid syntax') from error
