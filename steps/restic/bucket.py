"""Until when the objects of an S3 store are locked: one signed request for each, `GetObjectRetention`.

restic does not ask this. The official clients are large (botocore 17 MB, awscrt 4 MB, minio needs 3 MB of
pycryptodome). So `requests-aws4auth` signs, 70 KB beside what the image has, and urllib3 sends. Only GET is ever sent.
Credentials of a cloud identity are not in the Secret. Then the store is not asked.
(Amazon S3, API Reference: GetObjectRetention. restic's manual, "Amazon S3": an address without a scheme is https.)
"""

import re
import ssl
from functools import cached_property
from urllib.parse import quote, urlsplit

import urllib3

from steps import errors
from steps.restic.store import CA, REPOSITORY, Store

_TIMEOUT = urllib3.Timeout(connect=10, read=30)
_RETRY = urllib3.Retry(total=3, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503), redirect=0,
                       raise_on_status=False)  # fmt: skip
_LARGEST = 1 << 16  # bytes of an answer; a server that ignores `?retention` sends the object
_UNTIL = re.compile(rb"<RetainUntilDate>([-+:.0-9TZ]+)</RetainUntilDate>")
_CODE = re.compile(rb"<Code>(\w{1,80})</Code>")
_HOST_REGION = re.compile(r"s3[.-](?:dualstack\.)?([a-z0-9-]+)\.amazonaws\.com(\.cn)?")
_REGION = "us-east-1"  # restic's own default
_UNLOCKED = ("NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "InvalidRequest")
PARALLEL = 16  # requests at a time


class Bucket:
    """The bucket of a store, and the prefix of the repository in it.

    Raises:
        errors.LocksNotTold: the store is not S3, or its credentials are not in the Secret.

    """

    def __init__(self, store: Store) -> None:
        if store.kind != "s3":
            raise errors.LocksNotTold(store.name, "the store is not S3")
        if not store.told.get("AWS_ACCESS_KEY_ID"):
            raise errors.LocksNotTold(store.name, "the Secret has no AWS_ACCESS_KEY_ID to sign a request with")
        self.name, self._told = store.name, store.told
        address = store.told[REPOSITORY].removeprefix("s3:")
        parts = urlsplit(address if "://" in address else f"https://{address}")
        self._scheme, self._host = parts.scheme, parts.netloc.rpartition("@")[2]
        self._bucket, self._prefix = parts.path.strip("/").partition("/")[0], store.prefix

    def locked_until(self, place: str) -> str:
        """Return until when an object is locked, as the store writes it. Empty if the object has no lock.

        Raises:
            errors.LocksNotTold: the store refuses to tell it, does not know it, or gives no answer.

        """
        url = self._url(self._prefix + place)
        try:
            response = self._pool.request(
                "GET", url, headers=self._signed(url), timeout=_TIMEOUT, retries=_RETRY, preload_content=False
            )
            body = response.read(_LARGEST)
            if len(body) == _LARGEST:
                response.close()
            response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise errors.LocksNotTold(self.name, f"the store gives no answer ({type(error).__name__})") from error
        return self._meaning(place, response.status, body)

    def _meaning(self, place: str, status: int, body: bytes) -> str:
        found, code = _UNTIL.search(body), _CODE.search(body)
        named = code[1].decode() if code else ""
        if status == 200 and found:
            return found[1].decode()
        if named in _UNLOCKED or (status == 200 and b"<Retention" in body):
            return ""
        if status == 403:
            raise errors.LocksNotTold(self.name, f"the credentials lack s3:GetObjectRetention ({named or status})")
        if status == 404 and named == "NoSuchKey":
            raise errors.LocksNotTold(self.name, f"{place} is missing")
        raise errors.LocksNotTold(self.name, f"the store does not tell it (status {status} {named})".replace(" )", ")"))

    def _url(self, key: str) -> str:
        style = self._told.get("S3_PATH_STYLE") or ("no" if self._host.endswith((".amazonaws.com", ".cn")) else "yes")
        path = quote(key, safe="/~")
        if style == "yes":
            return f"{self._scheme}://{self._host}/{self._bucket}/{path}?retention"
        return f"{self._scheme}://{self._bucket}.{self._host}/{path}?retention"

    def _signed(self, url: str) -> dict[str, str]:
        from requests import Request
        from requests_aws4auth import AWS4Auth  # type: ignore[import-untyped]  # it has no types

        told, in_host = self._told, _HOST_REGION.fullmatch(self._host)
        region = told.get("AWS_DEFAULT_REGION") or (in_host[1] if in_host else _REGION)
        keys = (told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"], region, "s3")
        sign = AWS4Auth(*keys, session_token=told.get("AWS_SESSION_TOKEN") or None)
        return {name: _text(value) for name, value in sign(Request("GET", url).prepare()).headers.items()}

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        from requests.utils import should_bypass_proxies

        told = self._told
        tls = ssl.create_default_context(cadata=told.get(CA))
        proxy = told.get(f"{self._scheme.upper()}_PROXY", "")
        if not proxy or should_bypass_proxies(f"{self._scheme}://{self._host}", told.get("NO_PROXY", "")):
            return urllib3.PoolManager(maxsize=PARALLEL, ssl_context=tls)
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        user = parts.netloc.rpartition("@")[0]
        headers = urllib3.make_headers(proxy_basic_auth=user) if user else None
        address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        return urllib3.ProxyManager(address, proxy_headers=headers, maxsize=PARALLEL, ssl_context=tls)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
