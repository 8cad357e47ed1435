"""What restic reports of a repository. `repository` is the name of the Secret, `words` are restic's own."""

from steps.errors.base import Final, TryAgain


class WrongPassword(Final):
    repository: str
    says = (
        "The password does not open repository {repository}, or the repository has no key. Correct "
        "RESTIC_PASSWORD in Secret {repository}."
    )


class NoRepository(Final):
    repository: str
    kind: str
    words: str
    says = (
        'Secret {repository} names no repository ({kind}). restic reports "{words}". Correct the address, or '
        "create a repository by one run with `repository-init=yes`. restic then creates a missing bucket or "
        "folder too."
    )


class RepositoryExists(Final):
    repository: str
    words: str
    says = (
        'Repository {repository} exists already, so none was created. restic reports "{words}". Run this without '
        "`repository-init=yes`."
    )


class StoreRefused(Final):
    repository: str
    command: str
    words: str
    says = (
        "The store of repository {repository} refuses these credentials for `restic {command}`. restic reports "
        '"{words}". Correct the credentials in Secret {repository}, or extend their rights in the store.'
    )


class BucketMissing(Final):
    repository: str
    words: str
    says = (
        'The bucket of repository {repository} does not exist. restic reports "{words}". Correct the address in '
        "Secret {repository}, or create the bucket. A run with `repository-init=yes` creates it too."
    )


class AddressInvalid(Final):
    repository: str
    words: str
    says = (
        'The address of repository {repository} is invalid or unusable. restic reports "{words}". Correct '
        "RESTIC_REPOSITORY in Secret {repository}."
    )


class CredentialsUnusable(Final):
    repository: str
    words: str
    says = (
        'The credentials of repository {repository} can\'t be used. restic reports "{words}". Correct the keys in '
        "Secret {repository}."
    )


class HostKeyUnknown(Final):
    repository: str
    words: str
    says = (
        'The SFTP server of repository {repository} has an unknown host key. ssh reports "{words}". Check the '
        "server, then put its key into known_hosts of Secret {repository}."
    )


class SshKeyRefused(Final):
    repository: str
    words: str
    says = (
        'The SFTP server of repository {repository} refuses the SSH key. ssh reports "{words}". Correct '
        "ssh-privatekey in Secret {repository}, or allow the key on the server."
    )


class CertificateNotTrusted(Final):
    repository: str
    words: str
    says = (
        'The certificate of repository {repository} is not trusted. restic reports "{words}". Put the certificate'
        " of its authority into ca.crt of Secret {repository}."
    )


class CertificateInvalid(Final):
    repository: str
    words: str
    says = (
        'The certificate of repository {repository} is invalid for its address or date. restic reports "{words}".'
        " Use the name in the certificate as address, or renew the certificate."
    )


class StoreFull(Final):
    repository: str
    words: str
    says = (
        'The store of repository {repository} is full. restic reports "{words}". Enlarge the store or its quota, '
        "or forget and prune old snapshots."
    )


class StoreClosed(Final):
    repository: str
    words: str
    says = (
        'The store of repository {repository} can\'t be read or written. restic reports "{words}". Make the folder'
        " or claim writable, then submit again."
    )


class RepositoryDamaged(Final):
    repository: str
    command: str
    words: str
    says = (
        'Repository {repository} is damaged. `restic {command}` reports "{words}". Run `restic check`, then '
        "repair the repository by restic's guide for trouble."
    )


class SourceUnread(Final):
    repository: str
    words: str
    says = (
        'Not all of the backup could be read for repository {repository}. restic reports "{words}". Check the '
        "volume of the backup, then push again."
    )


class SnapshotMissing(Final):
    repository: str
    words: str
    says = (
        'Repository {repository} does not hold the requested snapshot or path. restic reports "{words}". List the'
        " backups in the repository and choose one."
    )


class ResticOutOfMemory(Final):
    repository: str
    command: str
    says = (
        "`restic {command}` for repository {repository} was killed, most likely because its memory was used up. "
        "Raise the option `repository.memory`, then submit again."
    )


class ScratchFailed(Final):
    words: str
    says = (
        'The cache or temporary files of restic can\'t be written. It reports "{words}". Check the space of the '
        "pod's temporary volume, then submit again."
    )


class OldRestic(Final):
    found: str
    oldest: str
    says = "Version {found} of restic is too old. At least {oldest} is needed. Use an image with a newer restic."


class NoRestic(Final):
    reason: str
    says = "The program restic can't be started ({reason}). Install restic, or use this project's image."


class NoJson(Final):
    command: str
    repository: str
    says = (
        "`restic {command}` for repository {repository} printed text that is not the expected JSON. Use the "
        "restic of this project's image."
    )


class ResticFailed(Final):
    repository: str
    command: str
    ended: str
    words: str
    says = (
        '`restic {command}` for repository {repository} ended with {ended}. It reports "{words}". Correct the '
        "cause, then submit again."
    )


class RepositoryLocked(TryAgain):
    repository: str
    host: str
    age: str
    says = (
        "Repository {repository} is locked by host {host} (age of the lock: {age}). Wait until the other command "
        "ends. A lock that is not refreshed for 30 minutes is removed by the next try."
    )


class StoreUnanswered(TryAgain):
    repository: str
    command: str
    words: str
    says = (
        "The store of repository {repository} gave no usable answer to `restic {command}` ({words}). Try again, "
        "and check the store and the network if this repeats."
    )


class ResticStopped(TryAgain):
    repository: str
    command: str
    says = "`restic {command}` for repository {repository} was asked to stop before its end. Another try resumes it."


class SftpNotStarted(TryAgain):
    repository: str
    words: str
    says = (
        "The SFTP session of repository {repository} did not start, and ssh's reason is not known. restic reports"
        ' "{words}". Check known_hosts and ssh-privatekey in Secret {repository}, and the server.'
    )
