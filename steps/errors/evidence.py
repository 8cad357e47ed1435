"""Records that can't be read, and notifications that can't be sent."""

from steps.errors.base import Final


class UrlMissing(Final):
    says = (
        "There is no URL to send the notification to. "
        "The Secret that `--notify-secret` named is missing, or has no key `url`. Create the Secret with this key."
    )


class BadUrl(Final):
    says = "Key `url` of the Secret is invalid. Write a URL that begins with https:// or http:// and names a host."


class NotDelivered(Final):
    kind: str
    tries: int
    says = (
        "The notification was not delivered to the server (tries: {tries}). {kind:sentence} "
        "Check that the URL in the Secret is right and can be reached from here."
    )


class NoResult(Final):
    reason: str
    says = (
        "This is not a result record. {reason:sentence} "
        "A backup's record is its result.json. A restore's record is one entry of its ConfigMap."
    )
