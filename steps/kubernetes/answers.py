"""Answers of the API server, and the checks that they are answers.

A success must hold the requested object. An object is missing only if a Status says so about that object. Proxies stand
between here and the server, so an answer of another form is not accepted. A text that may hold a Secret's data is not
repeated.
"""

import json
import re
from typing import Any, NamedTuple

from steps import errors
from steps.kubernetes.kinds import SECRET, Kind, Object

_NAME = r'"[-a-z0-9.:]*"'
# The refusal of the authorizer, which knows only names. A webhook's refusal begins with other words.
BY_RIGHTS = re.compile(rf'([-a-z0-9.]+ ({_NAME} )?is )?forbidden: User "[^"]*" cannot ')
BY_QUOTA = re.compile(rf"[-a-z0-9.]+ {_NAME} is forbidden: exceeded quota: ")
_COUNTS = r"[-a-z0-9./]+=[0-9]+[a-zA-Z]{0,2}(,[-a-z0-9./]+=[0-9]+[a-zA-Z]{0,2})*"
# Complete messages of the API server about a Secret that can't hold its values: they have names and counts only.
_SAFE = tuple(
    re.compile(form)
    for form in (
        "Unauthorized",
        rf"secrets ({_NAME} )?is forbidden: User {_NAME} cannot [a-z]+ resource \"secrets\" in API group \"\""
        rf" in the namespace {_NAME}",
        rf"secrets {_NAME} is forbidden: exceeded quota: [-a-z0-9.]+, requested: {_COUNTS}, used: {_COUNTS},"
        rf" limited: {_COUNTS}",
        rf"secrets {_NAME} is forbidden: unable to create new content in namespace [-a-z0-9]+ because it is being"
        r" terminated",
        rf"(object is being deleted: )?secrets {_NAME} already exists",
        rf"(secrets|namespaces) {_NAME} not found",
        rf"Operation cannot be fulfilled on secrets {_NAME}: the object has been modified; please apply your changes"
        r" to the latest version and try again",
        rf"Secret {_NAME} is invalid: data: Forbidden: field is immutable when `immutable` is set",
    )
)
_REASONS = re.compile(  # apimachinery meta/v1; a webhook may write any other word here
    "AlreadyExists|BadRequest|Conflict|Expired|Forbidden|Gone|InternalError|Invalid|MethodNotAllowed|NotAcceptable|"
    "NotFound|RequestEntityTooLarge|ServerTimeout|ServiceUnavailable|StorageReadError|Timeout|TooManyRequests|"
    "Unauthorized|UnsupportedMediaType"
)
_REFUSER = r"(?P<who>[-a-z0-9.]{1,253})"
_FORBIDDEN = rf"[-a-z0-9.]+ {_NAME} is forbidden: "
_INTERNAL = "Internal error occurred: "
_NO_DRY_RUN = rf'admission webhook "{_REFUSER}" does not support dry run'
# apiserver pkg/admission/plugin: webhook/errors, webhook/mutating, policy/validating; policy/generic for a
# MutatingAdmissionPolicy, whose kind the message does not name
_REFUSERS = tuple(
    (re.compile(form), word)
    for form, word in (
        (rf'({_FORBIDDEN}|{_INTERNAL})?admission webhook "{_REFUSER}" denied the request', "admission webhook"),
        (_NO_DRY_RUN, "admission webhook"),
        (rf'{_INTERNAL}admission webhook "{_REFUSER}" attempted to modify the object,', "admission webhook"),
        (rf'{_INTERNAL}failed calling webhook "{_REFUSER}":', "admission webhook"),
        (
            rf"{_FORBIDDEN}ValidatingAdmissionPolicy '{_REFUSER}' (with binding|denied request:)",
            "ValidatingAdmissionPolicy",
        ),
        (rf"policy '{_REFUSER}' with binding '[-a-z0-9.]*' denied request:", "admission policy"),
        (rf'policy "{_REFUSER}" denied request:', "admission policy"),
    )
)
_SERVERS_OWN = ("uid", "resourceVersion", "creationTimestamp")  # of each stored object
_TEXTS = ("data", "binaryData")  # of Secrets and ConfigMaps
_MAPS = ("spec", "status")
# of the API server, if another object has the name: found before the deletion, or only in the storage
PRECONDITION = re.compile(
    rf"Operation cannot be fulfilled on [-A-Za-z0-9.]+ {_NAME}: "  # the kind, or from its storage the resource
    r"(the UID in the precondition |(StorageError: invalid object, .*)?Precondition failed: UID in precondition: )"
)


class Answer(NamedTuple):
    """An answer of the server. `content` is None if the body is not a JSON object."""

    status: int
    content: Object | None

    @property
    def refusal(self) -> Object:
        """The Status of a refusal. Empty if a proxy or another path refused."""
        found = self.content or {}
        is_one = found.get("kind") == "Status" and found.get("status", "Failure") == "Failure"
        return found if is_one and found.get("code", self.status) == self.status else {}

    @property
    def reason(self) -> str:
        """The reason of the Status, if Kubernetes defines it."""
        reason = str(self.refusal.get("reason", ""))
        return reason if _REASONS.fullmatch(reason) else ""

    @property
    def why(self) -> str:
        """The HTTP status, the reason and the refuser. They hold no data of an object."""
        refuser = _refuser(self.refusal)
        return f"HTTP {self.status} {self.reason}".strip() + (f", {refuser}" if refuser else "")

    def message(self, kind: Kind) -> str:
        """Return the server's message. A message that may hold a Secret's data is replaced."""
        message = str(self.refusal.get("message", ""))
        if kind != SECRET or not message or any(form.fullmatch(message) for form in _SAFE):
            return message
        return errors.withheld(self.reason, _refuser(self.refusal))

    @property
    def not_asked(self) -> str:
        """The admission webhook that answers no dry run, empty where there is none."""
        found = re.fullmatch(_NO_DRY_RUN, str(self.refusal.get("message", "")))
        return found["who"] if found else ""

    @property
    def names_something(self) -> bool:
        """Whether the refusal is about one object, not about the kind or the path."""
        return bool(self.reason and self.refusal.get("details"))

    def is_not_found(self, kind: Kind, name: str) -> bool:
        """Return whether the answer says that the object of this name does not exist. A server names the object.

        Source: apimachinery, api/errors, NewNotFound.
        """
        if self.status != 404 or self.reason != "NotFound":
            return False
        return _names(self.refusal.get("details"), kind, name)


def _refuser(refusal: Object) -> str:
    """Return the kind and the name of the admission control that refused. Empty if the message has another form."""
    message = str(refusal.get("message", ""))
    for form, word in _REFUSERS:
        if found := form.match(message):
            return f"{word} {found['who']!r}"
    return ""


def content(data: bytes | None) -> Object | None:
    """Return the object in an answer, None if the answer is plain text, a proxy's page, or cut off."""
    try:
        content = json.loads(data or b"")
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def is_object(content: Object, kind: Kind, namespace: str, name: str = "", *, tried: bool = False) -> bool:
    """Return whether this is a valid object of the kind and namespace, and of the name if one is given.

    An object of a dry run has no version yet (`tried`). Source: apimachinery meta/v1, ObjectMeta.
    """
    metadata = content.get("metadata")
    if (content.get("apiVersion"), content.get("kind")) != (kind.api_version, kind.name):
        return False
    if not isinstance(metadata, dict) or not is_named(metadata):
        return False
    own = [metadata.get(key) for key in _SERVERS_OWN if not (tried and key == "resourceVersion")]
    is_here = not kind.namespaced or bool(metadata.get("namespace", namespace) == namespace)
    return (
        is_here
        and name in {"", metadata["name"]}
        and all(isinstance(each, str) and each for each in own)
        and (not kind.has_spec or content.get("spec") is not None)
        and _has_shape(content, metadata)
    )


def _has_shape(content: Object, metadata: Object) -> bool:
    """Return whether the fields that this tool reads have the right types."""
    texts = [metadata.get("labels"), metadata.get("annotations"), *(content.get(key) for key in _TEXTS)]
    owners = metadata.get("ownerReferences") or []
    return (
        all(each is None or isinstance(each, dict) for each in (*texts, *(content.get(key) for key in _MAPS)))
        and all(isinstance(value, str) for each in texts for value in (each or {}).values())
        and isinstance(owners, list)
        and all(isinstance(each, dict) for each in owners)
    )


def is_empty_of_metadata(content: Object) -> bool:
    """Return whether a list of metadata says that it is empty. Kubernetes 1.34 writes its items as null."""
    metadata = content.get("metadata")
    is_list = content.get("kind") == "PartialObjectMetadataList" and "items" in content and content["items"] is None
    return is_list and isinstance(metadata, dict) and isinstance(metadata.get("resourceVersion"), str)


def is_named(part: Object) -> bool:
    """Return whether it has a name."""
    return isinstance(part.get("name"), str) and part["name"] != ""


def is_version(part: object) -> bool:
    """Return whether it is a version of an API group."""
    return isinstance(part, dict) and isinstance(part.get("groupVersion"), str)


def is_deleted(content: Object, kind: Kind, name: str, uid: str) -> bool:
    """Return whether a Status says that the object of this name and uid was deleted."""
    if (content.get("kind"), content.get("status")) != ("Status", "Success"):
        return False
    details = content.get("details") or {"name": name}  # a success may lack details
    return _names(details, kind, name) and details.get("uid", uid) == uid


def _names(details: Any, kind: Kind, name: str) -> bool:
    """Return whether the details of a Status are of this object."""
    if not isinstance(details, dict) or details.get("name") != name:
        return False
    given = {"kind": (kind.resource, kind.name), "group": (kind.group,)}
    return all(details[key] in ones for key, ones in given.items() if details.get(key) is not None)
