"""The notification of a run's result: its content, and one POST to a URL that the user gives.

The URL is a credential: anybody who has a URL of Slack can write there. It is read from a file and stored nowhere.
A library or a server may quote the URL in a message, so only the kind of a failure is reported, in this tool's words.
No redirect is followed, so the result goes to no other address. Proxies are taken from the environment.

By hand: with urllib3 2.8.0, tried with the same tests, this module had 18 lines more. Its logger quotes the URL and had
to be silenced, and the proxy had to be chosen. The thread stayed, because each address of a name gets the whole time of
a try.
"""

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from steps import errors
from steps.contract.names import Form
from steps.evidence import result
from steps.evidence.result import Result

TRIES = 3
_LARGEST_URL_BYTES = 8 << 10  # the usual limit of servers for a request line
_PAUSE_S = 1.0  # seconds, doubled after each try
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_LEFT_OUT = {"phases", "objects", "cut"}  # the record has them, a message would be too long
_SLACK_TEXT = 2900  # characters; Slack takes 3000 in a section
_SIGNS = {result.SUCCEEDED: ":white_check_mark:", result.REFUSED: ":warning:"}
_UNITS = {"files": "files", "bytes": "bytes", "saved": "objects saved", "created": "objects created"}


def read_url(path: Path) -> str:
    """Read the URL from a file.

    Raises:
        errors.UrlMissing, errors.BadUrl: neither quotes the file.

    """
    try:
        with path.open("rb") as stream:
            url = stream.read(_LARGEST_URL_BYTES + 1).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UrlMissing from error
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise errors.BadUrl from error
    if not usable or len(url) > _LARGEST_URL_BYTES or not url.isprintable() or not url.isascii() or " " in url:
        raise errors.BadUrl
    return url


def body(record: Result, form: Form) -> bytes:
    """Return the content of the notification: a sentence and the record's fields, or a message for Slack."""
    content = _slack(record) if form == "slack" else _webhook(record)
    return json.dumps(content, ensure_ascii=False).encode()


def sentence(record: Result) -> str:
    """Return the result in one line for people."""
    what = f"{record.operation} {record.backup or record.claim}" if record.claim else record.operation
    head = f"{what} in namespace {record.namespace} {record.outcome}"
    if record.failures:
        return f"{head}: {record.failures[0].phase}: {record.failures[0].sentence}"
    counts = [f"{record.counts[name]} {words}" for name, words in _UNITS.items() if name in record.counts]
    lasted = [f"{(record.ended - record.began).total_seconds():.0f} s"] if record.ended else []
    told = ", ".join([*counts, *lasted])
    return f"{head}: {told}" if told and record.outcome == result.SUCCEEDED else head


def post(url: str, content: bytes, *, authority: Path | None = None, limit_s: float = 10.0) -> None:
    """Send the notification, with three tries at most.

    `authority` is a file with an additional trusted certificate. `limit_s` is the time limit of each try in seconds.
    A user and a password in the URL are sent as Basic authentication (RFC 7617).

    Raises:
        errors.NotDelivered

    """
    opener = _opener(authority)
    target, headers = _without_user(url)
    headers["Content-Type"] = "application/json"
    request = Request(target, content, headers, method="POST")  # noqa: S310  http and https only
    for number in range(TRIES):
        try:
            _within(limit_s, lambda: opener.open(request, timeout=limit_s).close())
        except Exception as error:  # noqa: BLE001  the message may quote the URL, so only the kind is reported
            kind, again = _kind(error)
            if not again or number + 1 == TRIES:
                raise errors.NotDelivered(kind, number + 1) from None
            time.sleep(_PAUSE_S * 2**number)
        else:
            return


def _without_user(url: str) -> tuple[str, dict[str, str]]:
    """Return the URL without its user and password, and the header that replaces them."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    name, _, password = user.partition(":")
    said = base64.b64encode(unquote_to_bytes(name) + b":" + unquote_to_bytes(password)).decode()
    return parts._replace(netloc=host).geturl(), {"Authorization": f"Basic {said}"}


def _opener(authority: Path | None) -> OpenerDirector:
    """Return an opener for HTTP, HTTPS with a checked certificate, and proxies: no file, FTP, redirect or cookie."""
    trust = ssl.create_default_context()
    if authority is not None and authority.exists():
        try:
            trust.load_verify_locations(authority)
        except (OSError, ssl.SSLError) as error:
            raise errors.NotDelivered("`ca.crt` holds no certificate", 0) from error
    opener = OpenerDirector()
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler(context=trust), HTTPDefaultErrorHandler()):
        opener.add_handler(handler)
    opener.add_handler(HTTPErrorProcessor())
    return opener


def _within(limit_s: float, act: Callable[[], object]) -> None:
    """Run `act` with a time limit: a socket's own limit starts again with each byte that a slow server sends."""
    ended: list[BaseException | None] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001  raised again in the waiting thread
            ended.append(error)
        else:
            ended.append(None)

    threading.Thread(target=run, daemon=True).start()
    until = time.monotonic() + limit_s
    while not ended and time.monotonic() < until:
        time.sleep(0.01)
    if not ended:
        raise TimeoutError
    if ended[0] is not None:
        raise ended[0]


def _kind(error: BaseException) -> tuple[str, bool]:
    """Return the kind of the failure in this tool's words, and whether another try may help."""
    if isinstance(error, HTTPError):
        error.close()
        redirect = ", a redirect, and redirects are not followed" if 300 <= error.code < 400 else ""
        return f"the server answered HTTP {error.code}{redirect}", error.code in _AGAIN
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, BaseException) else error
    kinds: dict[type[BaseException], str] = {
        ssl.SSLCertVerificationError: "the server's certificate is not trusted",
        ssl.SSLError: "the TLS connection failed",
        socket.gaierror: "the server's name can't be resolved",
        TimeoutError: "the server did not answer in time",
        ConnectionRefusedError: "the connection was refused",
    }
    said = next((words for kind, words in kinds.items() if isinstance(cause, kind)), type(cause).__name__)
    return said, isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError)


def _webhook(record: Result) -> Mapping[str, Any]:
    return {"sentence": sentence(record), **record.model_dump(mode="json", exclude=_LEFT_OUT)}


def _slack(record: Result) -> Mapping[str, Any]:
    """Return the text for previews, and the blocks (Slack's Block Kit, reference of the section block)."""
    sign = _SIGNS.get(record.outcome, ":x:")
    facts: dict[str, str] = {
        "workflow": record.workflow,
        "namespace": record.namespace,
        "3scale": " ".join(filter(None, (record.apimanager, record.threescale_version))),
        "began": f"{record.began:%Y-%m-%d %H:%M:%S} UTC",
        **{name: str(record.counts[name]) for name in ("files", "bytes") if name in record.counts},
        "manifest": f"SHA-256 {record.manifest_sha256}" if record.manifest_sha256 else "",
    }
    fields = [{"type": "mrkdwn", "text": f"*{name}*\n{_plain(fact)}"} for name, fact in facts.items() if fact]
    failed = [f"*{_plain(item.phase)}*: {_plain(item.sentence)}" for item in record.failures]
    rest = "\n".join([*failed, *map(_plain, record.held_back), _plain(record.advice)]).strip()
    return {
        "text": _plain(sentence(record))[:_SLACK_TEXT],
        "blocks": [
            _section(f"{sign} *{_plain(sentence(record))}*"),
            {"type": "section", "fields": fields},
            *([_section(rest)] if rest else []),
        ],
    }


def _section(text: str) -> Mapping[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_SLACK_TEXT]}}


def _plain(text: str) -> str:
    """Escape the three characters that Slack gives a meaning."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
