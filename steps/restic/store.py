"""Where a repository is and how it is reached: the keys of its Secret, which are restic's own variables.

A person's commands read the same names from the environment. Files are named there, as restic's own variables do it.

A password, an address, and credentials of S3 and of Google go to restic as files. Azure's and a REST server's have no
such form, so they are in the environment of the restic process alone. Nothing of this is an argument of a process.
(restic's manual: "Preparing a new repository", "Environment Variables".)
"""

import os
import pwd
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from steps import errors

REPOSITORY, PASSWORD = "RESTIC_REPOSITORY", "RESTIC_PASSWORD"
CA, SSH_KEY, KNOWN_HOSTS = "ca.crt", "ssh-privatekey", "known_hosts"
_AWS = {
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
}
_GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS"
_SECRET_VARIABLES = ("AZURE_ACCOUNT_KEY", "AZURE_ACCOUNT_SAS", "RESTIC_REST_USERNAME", "RESTIC_REST_PASSWORD")
_VARIABLES = (
    "AWS_DEFAULT_REGION",
    "AZURE_ACCOUNT_NAME",
    "AZURE_ENDPOINT_SUFFIX",
    "GOOGLE_PROJECT_ID",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
_PATH_STYLE, _STORAGE_CLASS = "S3_PATH_STYLE", "S3_STORAGE_CLASS"
_LIMITS = {"UPLOAD_LIMIT_KIB_PER_S": "--limit-upload", "DOWNLOAD_LIMIT_KIB_PER_S": "--limit-download"}
KEYS = (
    *(REPOSITORY, PASSWORD, *_AWS, _GOOGLE, *_SECRET_VARIABLES, *_VARIABLES),
    *(_PATH_STYLE, _STORAGE_CLASS, *_LIMITS, CA, SSH_KEY, KNOWN_HOSTS),
)
# Of a person: keys that hold the content of a file, and the variable with the path of that file.
_NAMED_FILES = {CA: "RESTIC_CACERT", _GOOGLE: _GOOGLE, PASSWORD: f"{PASSWORD}_FILE", REPOSITORY: f"{REPOSITORY}_FILE"}
_SECRETS = (PASSWORD, *_AWS, _GOOGLE, *_SECRET_VARIABLES, SSH_KEY)
_USERS = "passwd"
_NSS = {"LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_GROUP": "/etc/group"}  # cwrap.org; it needs both files
_SHORTEST = 20  # characters of a password
_MASKED = 4  # characters of the shortest value that is masked; a shorter one would hide parts of words
_USER_INFO = re.compile(r"(?<=//)[^/@\s]+(?=@)")
_ADDRESSES = {
    "s3": re.compile(r"s3:((https?://)?[^/\s]+)/[^/\s]+(/\S*)?"),
    "azure": re.compile(r"azure:[^:/\s]+:\S*"),
    "gs": re.compile(r"gs:[^:/\s]+:\S*"),
    "rest": re.compile(r"rest:https?://[^/\s]+(/\S*)?"),
    "sftp": re.compile(r"sftp:(//)?[^:/\s]+(:\d+)?[:/]\S+"),
    "folder": re.compile(r"/\S+"),
}
_FORMS = (
    "s3:https://HOST/BUCKET/PREFIX, azure:CONTAINER:/PREFIX, gs:BUCKET:/PREFIX, sftp:USER@HOST:/FOLDER, rest:URL "
    "or /FOLDER"
)
_ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})  # a restore from these begins hours later


@dataclass(frozen=True, repr=False)
class Store:
    """A repository, by the name of its Secret and the values of its keys.

    A person's repository has no Secret. Its name is the address, and ssh is set up by the person's own files.
    """

    name: str
    told: Mapping[str, str]
    of_person: bool = False

    @classmethod
    def mounted(cls, folder: Path, claim: Path | None = None) -> "Store":
        """Read a mounted Secret, named as its folder. Without an address, a mounted `claim` holds the repository.

        Raises:
            errors.BadRepository: a key is missing, unknown or invalid.

        """
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        told = {each.name: _text(each) for each in found if not each.name.startswith("..")}
        if claim and REPOSITORY not in told:
            told[REPOSITORY] = f"{claim}/restic"
        return cls(folder.name, told).checked()

    @classmethod
    def of_environment(cls, environ: Mapping[str, str], repository: str, password_file: Path | None) -> "Store":
        """Read a person's variables. An address and a password file that are given as options come first.

        Raises:
            errors.BadEnvironment: a value is missing or invalid, or a file can't be read.

        """
        told = {key: environ[key] for key in KEYS if environ.get(key) and key not in _NAMED_FILES}
        paths = {key: environ[name] for key, name in _NAMED_FILES.items() if environ.get(name)}
        given = {key: environ[key] for key in (REPOSITORY, PASSWORD) if key not in paths and environ.get(key)}
        if password_file:
            paths[PASSWORD] = str(password_file)
            given.pop(PASSWORD, None)
        if repository:
            given[REPOSITORY] = repository
            paths.pop(REPOSITORY, None)
        store = cls("", {**told, **given, **{key: _content(path) for key, path in paths.items()}}, of_person=True)
        return replace(store, name=store.address).checked()

    def checked(self) -> "Store":
        """Return the store.

        Raises:
            errors.BadRepository, errors.BadEnvironment: a key is missing, unknown or invalid.

        """
        if problems := list(self._problems()):
            raise errors.BadEnvironment(problems) if self.of_person else errors.BadRepository(self.name, problems)
        return self

    @property
    def kind(self) -> str:
        """The kind of the store: s3, azure, gs, rest, sftp or folder."""
        return next((kind for kind, form in _ADDRESSES.items() if form.fullmatch(self.told[REPOSITORY])), "")

    @property
    def prefix(self) -> str:
        """What the keys of an S3 repository begin with, in its bucket. Empty for other stores."""
        found = re.fullmatch(r"s3:(?:https?://)?[^/]+/[^/]+/?(.*)", self.told[REPOSITORY])
        path = found[1].strip("/") if found else ""
        return f"{path}/" if path else ""

    @property
    def address(self) -> str:
        """The address, without a password in it."""
        return self.masked(self.told.get(REPOSITORY, ""))

    def masked(self, text: str) -> str:
        """Return the text without the values of secret keys."""
        values = {self.told[key] for key in _SECRETS if len(self.told.get(key, "")) >= _MASKED}
        users = {found for key in (REPOSITORY, *_VARIABLES) for found in _USER_INFO.findall(self.told.get(key, ""))}
        for value in sorted(values | users, key=len, reverse=True):
            text = text.replace(value, "***")
        return text

    def options(self, private: Path) -> list[str]:
        """Return the options of restic for this store. Their values are not secret."""
        found = []
        if style := self.told.get(_PATH_STYLE):
            found.append(f"s3.bucket-lookup={'path' if style == 'yes' else 'dns'}")
        if storage_class := self.told.get(_STORAGE_CLASS):
            found.append(f"s3.storage-class={storage_class}")
        if self.kind == "sftp":
            found.append(f"sftp.args={self._ssh(private)}")
        options = [part for each in found for part in ("-o", each)]
        limits = [part for key, option in _LIMITS.items() if key in self.told for part in (option, self.told[key])]
        return [*options, *limits, *(["--cacert", str(private / CA)] if CA in self.told else [])]

    def files(self) -> dict[str, str]:
        """Return the private files by name: what restic must not get by argument or environment."""
        files = {name: self.told[name] + "\n" for name in (REPOSITORY, PASSWORD, _GOOGLE, CA, SSH_KEY, KNOWN_HOSTS)
                 if name in self.told}  # fmt: skip
        if keys := [f"{name} = {self.told[key]}\n" for key, name in _AWS.items() if key in self.told]:
            files["aws"] = "".join(["[default]\n", *keys])
        if self._needs_user:
            files[_USERS] = f"steps:x:{os.getuid()}:{os.getgid()}::/tmp:/bin/false\n"
        return files

    def environment(self, private: Path) -> dict[str, str]:
        """Return restic's variables of this store, with the paths of its private files."""
        variables = {key: self.told[key] for key in (*_SECRET_VARIABLES, *_VARIABLES) if key in self.told}
        named = {f"{REPOSITORY}_FILE": REPOSITORY, f"{PASSWORD}_FILE": PASSWORD, _GOOGLE: _GOOGLE}
        named["AWS_SHARED_CREDENTIALS_FILE"] = "aws"
        there = self.files()
        variables |= {name: str(private / file) for name, file in named.items() if file in there}
        return variables | (_NSS | {"NSS_WRAPPER_PASSWD": str(private / _USERS)} if self._needs_user else {})

    @property
    def _needs_user(self) -> bool:
        """Whether ssh would end at once, because `/etc/passwd` lacks the UID that OpenShift gave the pod."""
        if self.kind != "sftp" or self.of_person:
            return False
        try:
            pwd.getpwuid(os.getuid())
        except KeyError:
            return True
        return False

    def _ssh(self, private: Path) -> str:
        words = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
        if self.of_person:
            return shlex.join(words)
        words += ["-F", "none"]
        words += ["-o", f"UserKnownHostsFile={private / KNOWN_HOSTS}", "-o", "GlobalKnownHostsFile=/dev/null"]
        return shlex.join([*words, "-o", "IdentitiesOnly=yes", "-i", str(private / SSH_KEY)])

    def _problems(self) -> Iterator[str]:
        yield from (f"{key} is missing" for key in (REPOSITORY, PASSWORD) if not self.told.get(key))
        yield from (f"{key!r} is not one of its keys" for key in sorted(self.told.keys() - set(KEYS)))
        yield from (f"{key} is not text" for key, value in self.told.items() if "\0" in value or "\ufffd" in value)
        if (password := self.told.get(PASSWORD)) and len(password) < _SHORTEST:
            yield f"{PASSWORD} has less than {_SHORTEST} characters"
        if self.told.get(REPOSITORY):
            yield from self._problems_of_address()
        if (storage_class := self.told.get(_STORAGE_CLASS, "")).upper() in _ARCHIVES:
            yield f"{_STORAGE_CLASS} {storage_class} is an archive, from which nothing can be read at once"
        if self.told.get(_PATH_STYLE, "no") not in {"yes", "no"}:
            yield f"{_PATH_STYLE} is neither yes nor no"
        for key in _LIMITS:
            if key in self.told and not re.fullmatch(r"[1-9][0-9]{0,8}", self.told[key]):
                yield f"{key} is not a whole number"

    def _problems_of_address(self) -> Iterator[str]:
        if not self.kind:
            yield f"{REPOSITORY} is not an address: write {_FORMS}"
        if self.kind == "sftp" and not self.of_person:
            yield from (
                f"{key} is missing, and sftp needs it" for key in (SSH_KEY, KNOWN_HOSTS) if key not in self.told
            )
        if self.kind == "s3" and bool(self.told.get("AWS_ACCESS_KEY_ID")) != bool(
            self.told.get("AWS_SECRET_ACCESS_KEY")
        ):
            yield "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together, and one of them is missing"


def _content(path: str) -> str:
    """Read a file that a variable or an option names."""
    try:
        return _text(Path(path))
    except OSError as error:
        raise errors.BadEnvironment([f"the file {path} can't be read ({error.strerror})"]) from error


def _text(path: Path) -> str:
    """Read a key. Files and editors leave a newline at the end of a value."""
    return path.read_bytes().decode(errors="replace").strip()
