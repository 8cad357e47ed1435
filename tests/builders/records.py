"""The record of a run, its page, and the digests that it must not hold."""

import base64
import hashlib
import json
from typing import Any

from steps.archive import layout
from steps.contract import names
from tests.builders.pages import Page, foreign, page_of

HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s")


def digests(data: bytes) -> set[str]:
    """What could be the digest of something, in hexadecimal and in base64, with and without its padding."""
    raw = [hashlib.new(name, data).digest() for name in HASHES]
    encoded = [base64.b64encode(digest).decode() for digest in raw]
    return {*(digest.hex() for digest in raw), *encoded, *(text.rstrip("=") for text in encoded)}


def digests_of_secrets(folder) -> set[str]:
    """Those of each Secret's file, its data as a whole, and each value as it is and as it stands there."""
    paths = [path for place in (layout.SECRETS, layout.REFERENCED_SECRETS) for path in (folder / place).iterdir()]
    found = set()
    for path in paths:
        data = json.loads(path.read_bytes())["data"]
        found |= digests(path.read_bytes()) | digests(json.dumps(data).encode()) | digests(layout.as_json(data))
        for value in data.values():
            found |= digests(value.encode()) | digests(base64.b64decode(value))
    return found


def entry(stage, workflow, name=names.RESTORE_RESULTS) -> tuple[dict[str, Any], str]:
    """The record of a workflow, and its text."""
    text = stage.get("configmaps", name)["data"][f"{workflow.name}.json"]
    return json.loads(text), text


def check_page(text) -> str:
    """The text of a record's page, which has nothing from elsewhere."""
    page = page_of(text)
    assert list(foreign(page)) == []
    assert len(Page(page).bars) == len(json.loads(text)["phases"])
    return Page(page).text
