"""The rules of Kubernetes for names and labels, with its messages.

Each function returns the problem in the API server's words, or an empty text.
"""

import re

_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    f" end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_QUALIFIED_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    f" (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_VALUE = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    f" '{_VALUE}')"
)
_LONGEST_NAME = 253
_LONGEST_PART = 63


def wrong_subdomain(name: str) -> str:
    """Check the name of an object."""
    if len(name) > _LONGEST_NAME:
        return f"must be no more than {_LONGEST_NAME} characters"
    return "" if re.fullmatch(_SUBDOMAIN, name) else _SUBDOMAIN_RULE


def wrong_key(key: str) -> str:
    """Check the key of a label or an annotation."""
    *prefix, name = key.split("/")
    if len(prefix) > 1:
        example = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return f"a qualified name {_QUALIFIED_RULE} {example}"
    if prefix and not prefix[0]:
        return "prefix part must be non-empty"
    if prefix and (wrong := wrong_subdomain(prefix[0])):
        return f"prefix part {wrong}"
    if not name:
        return "name part must be non-empty"
    if len(name) > _LONGEST_PART:
        return f"name part must be no more than {_LONGEST_PART} characters"
    return "" if re.fullmatch(_QUALIFIED, name) else f"name part {_QUALIFIED_RULE}"


def wrong_value(value: str) -> str:
    """Check the value of a label."""
    if len(value) > _LONGEST_PART:
        return f"must be no more than {_LONGEST_PART} characters"
    return "" if re.fullmatch(_VALUE, value) else _VALUE_RULE
