"""The values of arguments: their kinds, limits and usual words."""

from typing import Annotated

from steps.contract.value_kinds import (
    SUFFIX,
    DatabaseNames,
    DigestText,
    Like,
    Name,
    NameList,
    NumberOrNothing,
    OrNothing,
    RealNumber,
    ResticDuration,
    Share,
    Size,
    Versions,
    WholeNumber,
)

YES, NO = "yes", "no"
_OBJECT = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_PART = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"  # of a domain
MAX_AGE = "26h"  # of the newest backup: a day, and two hours more
MAX_SHRINK = 0.5  # of a backup, compared with the backup before
QUANTITY = (  # as Kubernetes writes a size (apimachinery resource.Quantity), of limited length
    rf"([0-9]+(\.[0-9]*)?|\.[0-9]+){SUFFIX}"
)
COUNT = WholeNumber(0, 1_000_000)  # of backups, hours or days; a larger number would have no other effect
GROUP = WholeNumber(0, (1 << 31) - 1)  # the range of Kubernetes (IsValidGroupID)
PODS = WholeNumber(1, 10_000)  # at the same time
NIGHTS = NumberOrNothing(0, 1000)
REPOSITORY_NIGHTS = 30  # a month for all data of a repository
SECONDS = WholeNumber(0, (1 << 31) - 1)
USER = WholeNumber(1, (1 << 31) - 1)  # root is refused
FRACTION = RealNumber(0, 1)
MINUTES = RealNumber(0, 120)
WHOLE_MINUTES = WholeNumber(0, 120)
PAUSE_S = RealNumber(0, 3600)
LIMIT_S = RealNumber(0, 3600, above=True)
SIZE = Size()
QUANTITY_OF_RESOURCE = Size("quantity", "500m or 256Mi")
SHARE = Share()
DURATION = ResticDuration()
LABEL_LENGTH = 63  # of a DNS-1123 label, and of a label's value
NAMESPACE = Name("a namespace", label=True, most=LABEL_LENGTH)
BACKUP = Name("a backup", label=True, most=LABEL_LENGTH)
CLAIM = Name("a claim")
OBJECT = Name("an object")
STORAGE_CLASS = Name("a StorageClass")
VOLUME = Name("a PersistentVolume")
NO_CLASS = "none"  # of an argument: a claim of no StorageClass, for a volume that an administrator made
SECRET = Name("a Secret")
SNAPSHOT = Like(r"[0-9a-z]([-0-9a-z]{0,62}[0-9a-z])?", "not the name of a backup, the ID of a snapshot or latest")
LABEL_VALUE = Like(
    r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?",
    "not a valid value of a label: write at most 63 characters of a-z, A-Z, 0-9, '-', '_' and '.', a letter or digit "
    "first and last",
)
CRON_WORKFLOW = Name("a CronWorkflow", most=52)  # Argo appends the time of each run
DOMAIN = Like(
    rf"(?=.{{1,253}}$){_PART}(\.{_PART})*",
    "not a domain: write a DNS-1123 subdomain such as apps.example.com, without '*.'",
)
IMAGE = Like(r"(?!.*://)[!-~]+", "not an image: write one word without https://, such as registry.example.com/steps:1")
ACCESS_MODES = ("", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")  # empty: as in the backup
VERSION = Like(
    r"[0-9]{1,4}\.[0-9]{1,4}(\.[0-9A-Za-z.+-]{1,40})?", "not a version: write 3scale's major.minor such as 2.16"
)
MOST_WORKERS = 16  # each process takes memory, and a file server has other clients
WORKERS = NumberOrNothing(1, MOST_WORKERS, words=("", "1", "2", "4", "8", "16"))
SECRETS = Like(rf"{_OBJECT}(,{_OBJECT})*", "not a list of names: write names of Secrets, separated by commas")
NAMES = NameList()
DATABASES = DatabaseNames()
VERSIONS = Versions()
DIGEST = DigestText()

# Annotations for fields of several workflows.
CountOrNone = Annotated[str, OrNothing(COUNT)]
DurationText = Annotated[str, DURATION]
DurationOrNone = Annotated[str, OrNothing(DURATION)]
ScheduleOrNone = Annotated[str, OrNothing(CRON_WORKFLOW)]
SizeOrNone = Annotated[str, OrNothing(SIZE)]
StorageClassOrNone = Annotated[str, OrNothing(STORAGE_CLASS)]
ClaimOrNone = Annotated[str, OrNothing(CLAIM)]
NamesTold = Annotated[tuple[str, ...] | None, NAMES]
