"""Locks of objects, as another account sets them, and a thief with the key of the backups."""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import requests
from requests_aws4auth import AWS4Auth

from tests.stores.versitygw import REGION, Versitygw

_VERSION = re.compile(
    r"<(Version|DeleteMarker)>.*?<Key>([^<]+)</Key>.*?<VersionId>([^<]+)</VersionId>.*?</\1>", re.DOTALL
)


@dataclass(frozen=True)
class Locked:
    """A bucket with versions and object lock."""

    server: Versitygw
    bucket: str

    def ask(self, method: str, key: str = "", query: str = "", body: str = "") -> requests.Response:
        told = self.server.credentials
        sign = AWS4Auth(told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"], REGION, "s3")
        address = f"{self.server.address}/{self.bucket}/{quote(key)}{query and '?'}{query}"
        digest = base64.b64encode(hashlib.md5(body.encode(), usedforsecurity=False).digest()).decode()
        headers = {"Content-MD5": digest} if body else {}
        return requests.request(method, address, data=body or None, headers=headers, auth=sign, timeout=30)

    def lock(self, keys, seconds: float) -> datetime:
        """Lock objects from now on; nobody can shorten it."""
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
        date = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        body = f"<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>{date}</RetainUntilDate></Retention>"
        for key in keys:
            answer = self.ask("PUT", key, "retention", body)
            assert answer.ok, answer.text
        return until

    def versions(self) -> list[tuple[str, str, str]]:
        """Kind, key and version of all there is, removed objects too."""
        answer = self.ask("GET", query="versions")
        assert "<IsTruncated>true" not in answer.text
        return [match.groups() for match in _VERSION.finditer(answer.text)]

    def keys(self) -> list[str]:
        """The keys of which a version is there, without those of restic's locks."""
        return sorted({key for kind, key, _ in self.versions() if kind == "Version" and "/locks/" not in key})

    def steal(self) -> None:
        """Delete all versions that the store gives up, then hide the rest behind markers."""
        for _, key, version in self.versions():
            self.ask("DELETE", key, f"versionId={version}")
        for key in self.keys():
            self.ask("DELETE", key)

    def undelete(self) -> None:
        """Remove the markers, so that the objects are there again."""
        for kind, key, version in self.versions():
            if kind == "DeleteMarker":
                answer = self.ask("DELETE", key, f"versionId={version}")
                assert answer.ok, answer.text
