"""What a PostgreSQL server or its client reports. `database` is the name of the Secret, `words` are theirs."""

from collections.abc import Sequence

from steps.errors.base import Few, Final, TryAgain


class DatabaseAddressInvalid(Final):
    database: str
    key: str
    why: str
    says = "The key {key} in Secret {database} holds no usable address of a database: {why}. Correct the key."


class DatabaseEngineUnknown(Final):
    database: str
    engine: str
    says = (
        "The database of Secret {database} is {engine}, which can't be copied. Copy it with its own tools, and leave "
        "it out with `databases=...`."
    )


class DatabaseLoginRefused(Final):
    database: str
    words: str
    says = (
        'The PostgreSQL of Secret {database} refuses the user or the password. It reports "{words}". Correct the '
        "Secret, or name a user for backups in `database-credentials`."
    )


class DatabaseMissing(Final):
    database: str
    words: str
    says = (
        'The database that Secret {database} names does not exist. The server reports "{words}". Correct the address, '
        "or create the database."
    )


class DatabaseTlsRefused(Final):
    database: str
    words: str
    says = (
        'The TLS connection to the PostgreSQL of Secret {database} has failed. The client reports "{words}". Correct '
        "the certificates or the TLS mode in the Secret."
    )


class DatabaseNoAnswer(TryAgain):
    database: str
    words: str
    says = (
        'The PostgreSQL of Secret {database} gives no answer. The client reports "{words}". Check the server and the '
        "network."
    )


class DatabaseRefused(Final):
    database: str
    words: str
    says = 'The PostgreSQL of Secret {database} has refused a statement. It reports "{words}".'


class DatabaseRightsMissing(Final):
    database: str
    user: str
    statements: Few
    says = (
        "The user {user} may not read all of the database of Secret {database}. As the owner run: {statements}. Or "
        "name another user in `database-credentials`."
    )


class DatabaseClientUnfit(Final):
    database: str
    server: str
    client: str
    says = (
        "The PostgreSQL of Secret {database} has version {server}, which the client {client} in this image can't copy. "
        "Use the database image with a client that is as new as the server. Servers from version 10 on are supported."
    )


class DatabaseClientMissing(Final):
    program: str
    says = "The program {program} is not in the image. Use the database image for the phases of databases."


class DatabaseClientStopped(TryAgain):
    program: str
    signal: int
    says = (
        "The program {program} was ended by signal {signal}. Give the pods of databases more memory if this happens "
        "again."
    )


class DatabaseLocked(TryAgain):
    database: str
    waits_s: float
    says = (
        "Another session has waited {waits_s:g} s for the dump of the database of Secret {database}. The dump was "
        "ended, so that it holds nobody up. It begins anew later."
    )


class DatabaseLockWait(TryAgain):
    database: str
    says = "The dump of the database of Secret {database} did not get its locks. A migration may be running."


class DatabaseSchemaChanged(TryAgain):
    database: str
    says = (
        "The schema of the database of Secret {database} has changed during the dump. A migration may be running. The "
        "dump begins anew."
    )


class DatabaseDumpFailed(Final):
    database: str
    program: str
    words: str
    says = 'The program {program} has failed for the database of Secret {database}. It reports "{words}".'


class DatabaseDumpIncomplete(Final):
    database: str
    tables: Sequence[str]
    says = "The dump of the database of Secret {database} lacks these tables: {tables}. The dump is not kept."


class DatabaseDumpDamaged(Final):
    path: str
    words: str
    says = 'The dump at {path} is damaged. pg_restore reports "{words}". Restore another backup.'


class DatabaseNotEmpty(Final):
    database: str
    tables: Sequence[str]
    says = "The database of Secret {database} is not empty. It has {tables:count} tables: {tables}."


class DatabaseExtensionsMissing(Final):
    database: str
    extensions: Sequence[str]
    says = (
        "The database of Secret {database} lacks extensions that the dump uses: {extensions}. Create each as a "
        "superuser: `CREATE EXTENSION NAME`."
    )


class DatabaseCopyDiffers(Final):
    database: str
    differences: Few
    says = "The restored database of Secret {database} differs from the dump: {differences}."


class DatabasesRefused(Final):
    reasons: Sequence[str]
    passing: str
    says = "Not every database can be copied. {reasons: } What can be copied would pass with `databases={passing}`."


class DatabaseOfAnother(Final):
    database: str
    found: str
    there: str
    recorded: str
    says = (
        "The database of Secret {database} holds {found} of another installation: {there}. The backup has {recorded}. "
        "An operator that was started too early makes such a new one. Empty the database, or correct the Secret."
    )


class DatabaseEmpty(Final):
    database: str
    says = (
        "The database of Secret {database} is empty, and this restore does not fill it. 3scale would found a new "
        "installation there. Restore the database first."
    )


class DatabaseTaken(Final):
    database: str
    found: str
    says = (
        "The database of Secret {database} holds data already ({found}), and `databases=restore` wants it empty. Empty "
        "it, or choose `databases=auto`."
    )


class DatabaseNotInBackup(Final):
    names: Sequence[str]
    says = "The backup has no copy of {names}, so `databases=restore` can't restore it. Choose `databases=auto`."
