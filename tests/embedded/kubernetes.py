"""The rehearsal's Kubernetes with a hand in it: it records what is asked, and fails where a test wants it to."""

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from workflows.rehearsal.kubernetes import cluster, kinds, refusals, store
from workflows.rehearsal.kubernetes.api import Answer
from workflows.rehearsal.kubernetes.kinds import Kind, Object
from workflows.rehearsal.kubernetes.refusals import Refused
from workflows.rehearsal.kubernetes.routing import Request

BEFORE, AFTER = "before", "after"
WRITES = {"create", "update", "patch", "delete"}

# Reason and message of an answer that a test asks for by its status alone; the messages are those seen on clusters.
_USUAL = {
    400: ("BadRequest", "the request could not be understood"),
    401: ("Unauthorized", "Unauthorized"),
    403: ("Forbidden", "forbidden"),
    404: ("NotFound", "the server could not find the requested resource"),
    409: ("Conflict", "the object has been modified; please apply your changes to the latest version and try again"),
    422: ("Invalid", "the object is invalid"),
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "Internal error occurred: etcdserver: request timed out"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "Timeout: request did not complete within requested timeout - context deadline exceeded"),
}


class Dropped(Exception):
    """The client shall see the connection close instead of an answer."""


@dataclass(frozen=True)
class Asked(Request):
    """A request; `status` is 0 until it is answered, and stays so when the answer is lost."""

    status: int = 0


@dataclass
class Fault:
    """Something that meets the next `times` requests it fits, before or after they are done."""

    moment: str
    verb: str
    target: str
    name: str | None
    times: int
    act: Callable[[Request], None]

    def fits(self, moment: str, request: Request) -> bool:
        wanted = (self.moment, self.verb, self.target)
        return wanted == (moment, request.verb, request.target) and self.name in {None, request.name}


class Faults:
    """The faults that wait for their request, in the order they were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append(fault)

    def forget(self) -> None:
        with self._lock:
            self._waiting = []

    def strike(self, moment: str, request: Request) -> None:
        """Let each fault act that fits; one that raises ends the request, and the ones after it keep waiting."""
        while fault := self._take(moment, request):
            fault.act(request)

    def _take(self, moment: str, request: Request) -> Fault | None:
        with self._lock:
            fault = next((fault for fault in self._waiting if fault.fits(moment, request)), None)
            if fault:
                fault.times -= 1
                self._waiting = [waiting for waiting in self._waiting if waiting.times]
            return fault


class Record:
    """Every request for a resource, in the order they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: list[Asked] = []

    def begin(self, request: Request) -> Asked:
        asked = Asked(**vars(request))
        with self._lock:
            self.requests.append(asked)
        return asked

    def end(self, asked: Asked, status: int) -> None:
        """Note how it ended, unless the record was cleared meanwhile."""
        with self._lock:
            ended = dataclasses.replace(asked, status=status)
            self.requests = [ended if each is asked else each for each in self.requests]

    def clear(self) -> None:
        with self._lock:
            self.requests = []


class Limited(store.Store):
    """Objects that a quota counts."""

    def __init__(self) -> None:
        super().__init__()
        self.quotas: dict[tuple[str, str], tuple[str, int]] = {}

    def _check_room(self, kind: Kind, obj: Object) -> None:
        namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
        quota, limit = self.quotas.get((kind.resource, namespace), ("", 0))
        used = self._used(kind.resource, namespace)
        if quota and used >= limit:
            raise _exceeded(kind, name, quota, used, limit)
        super()._check_room(kind, obj)

    def _used(self, resource: str, namespace: str) -> int:
        return sum(key[:2] == (resource, namespace) for key in self._objects)

    def list(self, kind: Kind, namespace: str = "", labels: str = "", fields: str = "") -> list[Object]:
        """Count what quotas show before they are listed, as their controller does after each change."""
        for (resource, place), (name, limit) in self.quotas.items() if kind.name == "ResourceQuota" else ():
            counted = _counted(kinds.named(resource))
            status = {"hard": {counted: str(limit)}, "used": {counted: str(self._used(resource, place))}}
            self.change(kind, place, name, lambda quota, status=status: {**quota, "status": status})
        return super().list(kind, namespace, labels, fields)


class Cluster(cluster.Cluster):
    """The rehearsal's cluster, whose requests are looked at and disturbed."""

    def __init__(self) -> None:
        self._limited = Limited()
        super().__init__(self._limited)
        self._record = Record()
        self._faults = Faults()
        self._api.around = self._around

    def _around(self, request: Request, answer: Callable[[], Answer]) -> Answer:
        asked, status = self._record.begin(request), 0
        try:
            self._faults.strike(BEFORE, request)
            answered = answer()
            if answered.code < 400:
                self._faults.strike(AFTER, request)
            status = answered.code
        except Refused as refusal:
            status = refusal.code
            if wait_s := refusal.details.get("retryAfterSeconds"):
                return Answer(status, refusal.status(), {"Retry-After": str(wait_s)})
            raise
        finally:
            self._record.end(asked, status)
        return answered

    # --- what was asked of the API server ---

    @property
    def requests(self) -> list[Asked]:
        """Every request for a resource, in the order they came."""
        return list(self._record.requests)

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        self._record.clear()

    def writes(self) -> list[Asked]:
        """The requests that change an object; a dry run changes none."""
        return [request for request in self.requests if request.verb in WRITES and not request.dry_run]

    # --- a cluster of another kind ---

    @property
    def gc_delay_s(self) -> float:
        """How long the garbage collector leaves an orphan alone; `float("inf")` for ever."""
        return self._collector.delay_s

    @gc_delay_s.setter
    def gc_delay_s(self, delay_s: float) -> None:
        self._collector.delay_s = min(delay_s, threading.TIMEOUT_MAX / 2)
        self._collector._awake.set()

    @property
    def storage_classes(self) -> dict[str, str]:
        """The storage classes and when they bind a claim: `Immediate`, `WaitForFirstConsumer` or `Never`."""
        return self._provisioner.classes

    def without(self, name: str) -> None:
        """Switch an API group off, or one kind of it (`RESOURCE.GROUP`), as on a cluster that does not have it."""
        self._api.kinds = tuple(kind for kind in self._api.kinds if name not in {kind.group, kind.qualified})

    def quota(self, resource: str, namespace: str, *, limit: int, name: str = "objects") -> None:
        """Refuse to create more objects of a resource than the limit."""
        kind = kinds.named(resource)
        self._limited.quotas[kind.resource, namespace] = (name, limit)
        spec = {"hard": {_counted(kind): str(limit)}}
        metadata = {"name": name, "namespace": namespace}
        self.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec})

    def compact(self) -> None:
        """Compact the storage: lists that were begun page by page can't be read to their end any more."""
        self._api.pages.begun.clear()

    # --- what goes wrong on purpose; a resource may be a subresource such as `pods/exec` ---

    def refuse_next(  # noqa: PLR0913  an answer has as many parts
        self,
        verb: str,
        resource: str,
        *,
        status: int = 500,
        reason: str | None = None,
        message: str | None = None,
        name: str | None = None,
        times: int = 1,
        retry_after_s: int | None = None,
    ) -> None:
        """Answer the next requests with an error, and do nothing; a 403 says by itself what right is missing."""

        def refuse(request: Request) -> None:
            if status == 403 and message is None:
                raise refusals.forbidden(request, request.verb)
            raise _usual(status, reason, message, retry_after_s)

        self._faults.add(Fault(BEFORE, verb, resource, name, times, refuse))

    def forget_faults(self) -> None:
        """Let no fault that still waits meet a request."""
        self._faults.forget()

    def drop_next(self, verb: str, resource: str, *, name: str | None = None, times: int = 1) -> None:
        """Close the connection instead of an answer, and do nothing."""
        self._faults.add(Fault(BEFORE, verb, resource, name, times, drop))

    def lose_answer_of_next(self, verb: str, resource: str, *, name: str | None = None, times: int = 1) -> None:
        """Do what is asked, then close the connection instead of an answer."""
        self._faults.add(Fault(AFTER, verb, resource, name, times, drop))

    def before_next(
        self, verb: str, resource: str, action: Callable[[Request], None], *, name: str | None = None
    ) -> None:
        """Call an action in the next request's thread, before it is looked at."""
        self._faults.add(Fault(BEFORE, verb, resource, name, 1, action))

    def after_next(
        self, verb: str, resource: str, action: Callable[[Request], None], *, name: str | None = None
    ) -> None:
        """Call an action in the next request's thread, once it is done and before its answer is sent."""
        self._faults.add(Fault(AFTER, verb, resource, name, 1, action))


def drop(_request: Request) -> None:
    """Close the connection instead of an answer: what the API raises ends it."""
    raise Dropped


def _usual(code: int, reason: str | None, message: str | None, retry_after_s: int | None) -> Refused:
    usual_reason, usual_message = _USUAL.get(code, ("", HTTPStatus(code).phrase))
    details = {} if retry_after_s is None else {"retryAfterSeconds": retry_after_s}
    return Refused(code, usual_reason if reason is None else reason, message or usual_message, details)


def _counted(kind: Kind) -> str:
    """How a quota calls the objects of a kind."""
    return kind.resource if not kind.group else f"count/{kind.qualified}"


def _exceeded(kind: Kind, name: str, quota: str, used: int, limit: int) -> Refused:
    counted = _counted(kind)
    counts = f"requested: {counted}=1, used: {counted}={used}, limited: {counted}={limit}"
    message = f'{kind.qualified} "{name}" is forbidden: exceeded quota: {quota}, {counts}'
    details = {"name": name, **({"group": kind.group} if kind.group else {}), "kind": kind.resource}
    return Refused(403, "Forbidden", message, details)
