"""Words of restic, ssh and the stores, each with the error that they mean. The earlier rule holds."""

from steps import errors

Meanings = tuple[tuple[str, type[errors.PhaseError]], ...]

DAMAGE: Meanings = (
    (
        r"ciphertext verification failed|invalid data returned|\bpack \S+: does not exist|unexpected pack id|"
        r"could be damaged|(index|repository) is damaged|file is too short|slice bounds out of range|"
        r"not found in (the )?(index|repository)$|(Load|ReadFull)\(<\w+/\w+>.*(no such file|does not exist|\(404\))",
        errors.RepositoryDamaged,
    ),
)
KNOWN: Meanings = (
    (r"restic-temp-", errors.ScratchFailed),
    (r"out of memory|cannot allocate memory|failed to reserve page", errors.ResticOutOfMemory),
    (r"snapshot is empty|all source directories", errors.SourceUnread),
    (r"host key (is known|verification)|host identification has changed", errors.HostKeyUnknown),
    (r"permission denied \(\w*(publickey|password)", errors.SshKeyRefused),
    (r"unknown authority|not trusted|cannot parse root certificate", errors.CertificateNotTrusted),
    (r"x509: certificate (is valid for|has expired|is not valid)|cannot validate", errors.CertificateInvalid),
    (r"\b507\b|no space left|quota|storage ?full|minimum free drive", errors.StoreFull),
    (r"(bucket|container) (does not|doesn't) exist|NoSuchBucket|ContainerNotFound", errors.BucketMissing),
    (
        r"no credentials found|could not find default credentials|error getting credentials|empty password",
        errors.CredentialsUnusable,
    ),
    (
        r"access ?denied|request signature|SignatureDoesNotMatch|access key id|InvalidAccessKeyId|provided token|"
        r"ExpiredToken|\(40[13]\)|40[13] (unauthorized|forbidden)|Error 40[13]\b|request time and the current time|"
        r"invalid_grant|AuthenticationFailed|AuthorizationFailure",
        errors.StoreRefused,
    ),
    (
        r"parsing repository location|invalid backend|bucket name not found|unsupported protocol scheme|"
        r"HTTP request to an HTTPS server|HTTP response to HTTPS client|not a directory|400 Bad Request|"
        r"specified endpoint|authorization header is malformed|time format is invalid|invalid character '<'",
        errors.AddressInvalid,
    ),
    (r"config file already exists", errors.RepositoryExists),
    (r"read-only file system|permission denied$|operation not permitted$", errors.StoreClosed),
    (r"no matching ID found|not found in snapshot|no snapshot found", errors.SnapshotMissing),
    (r"unable to start the sftp session", errors.SftpNotStarted),  # it may end before ssh's words are read
    (
        r"\(5\d\d\)|\b50\d [A-Z]|Error 5\d\d\b|bad gateway|<html|internal error|\b429\b|request rate|SlowDown|"
        r"connection (refused|reset|closed|lost|timed out)|broken pipe|\bEOF\b|timeout|deadline exceeded|"
        r"no such host|server misbehaving|resolve hostname|network is unreachable|no route to host|file already closed",
        errors.StoreUnanswered,
    ),
)
# They sum up what stands before them, or are warnings of another failure.
LATE: Meanings = (
    (r"repository contains errors", errors.RepositoryDamaged),
    (r"unable to open cache|chtimes", errors.ScratchFailed),
)
