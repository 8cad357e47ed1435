"""Records and notifications that could not be kept, read or told."""

from steps.errors.base import Final


class UrlMissing(Final):
    says = "there is no URL to send it to: the Secret that `--notify-secret` named is not there, or has no key `url`"


class BadUrl(Final):
    says = "key `url` of the Secret holds no URL that begins with https:// or http:// and a host"


class NotDelivered(Final):
    kind: str
    tries: int
    says = "{kind} (tries: {tries}): see whether the URL in the Secret is right and can be reached from here"


class NoResult(Final):
    reason: str
    says = "this is no result record: {reason}; a backup's is its result.json, a restore's one entry of its ConfigMap"
