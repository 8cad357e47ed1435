"""What a Redis server reports. `database` is the name of its Secret, `words` are the server's own."""

from collections.abc import Sequence

from steps.errors.base import Few, Final, TryAgain


class RedisAddressInvalid(Final):
    database: str
    key: str
    why: str
    says = "The key {key} in Secret {database} holds no usable address of a Redis: {why}. Correct the key."


class RedisPasswordWrong(Final):
    database: str
    words: str
    says = (
        'The Redis of Secret {database} refuses the user or the password. It reports "{words}". Correct the Secret, or '
        "name a user for backups in `database-credentials`."
    )


class RedisTlsRefused(Final):
    database: str
    words: str
    says = (
        "The TLS connection to the Redis of Secret {database} has failed ({words}). Correct the scheme of the address, "
        "or the certificates in the Secret."
    )


class RedisNoAnswer(TryAgain):
    database: str
    words: str
    says = "The Redis of Secret {database} gives no answer ({words}). Check the server and the network."


class RedisRefused(Final):
    database: str
    words: str
    says = 'The Redis of Secret {database} has refused a command. It reports "{words}".'


class RedisBusy(TryAgain):
    database: str
    words: str
    says = 'The Redis of Secret {database} can\'t serve now. It reports "{words}".'


class RedisReadOnly(TryAgain):
    database: str
    words: str
    says = (
        'The Redis of Secret {database} is a read-only replica now. It reports "{words}". Wait for the end of the '
        "failover, or correct the address to that of the master."
    )


class RedisFull(Final):
    database: str
    words: str
    says = 'The Redis of Secret {database} is full. It reports "{words}". Give it more memory.'


class RedisRightsMissing(Final):
    database: str
    user: str
    commands: Sequence[str]
    says = (
        "The user {user} of the Redis of Secret {database} may not use {commands}. Grant the commands: "
        "`ACL SETUSER {user} {grants}`, or name another user in `database-credentials`."
    )

    def compose(self) -> str:
        """Return the message, with the words of the statement."""
        grants = " ".join(f"+{command.lower()}" for command in self.commands)
        return self.says.format(**{**vars(self), "commands": ", ".join(self.commands), "grants": grants})


class RedisIsCluster(Final):
    database: str
    says = (
        "The Redis of Secret {database} is a cluster (cluster_enabled:1). One node shows only a part of the keys, so "
        "no complete copy can be made. 3scale supports no Redis cluster. Leave the database out with `databases=...`."
    )


class RedisTooOld(Final):
    database: str
    version: str
    says = "The Redis of Secret {database} has version {version}. Versions from 6.2 on are supported."


class RedisKeyNotPortable(Final):
    database: str
    keys: Few
    says = (
        "The Redis of Secret {database} has keys that can't be copied to another server: {keys}. 3scale writes none of "
        "this kind. Delete the keys, or leave the database out with `databases=...`."
    )


class RedisKeyUnsettled(TryAgain):
    database: str
    key: str
    says = "The key {key} of the Redis of Secret {database} has changed its type at each try."


class RedisCopyDamaged(Final):
    path: str
    line: int
    why: str
    says = "Line {line} of {path} is not a valid key of a Redis: {why}. Restore another backup."


class RedisCopyDiffers(Final):
    database: str
    differences: Few
    says = "The restored Redis of Secret {database} differs from the backup: {differences}."


class RedisOfAnother(Final):
    database: str
    found: str
    says = (
        "The Redis of Secret {database} is not empty, and does not hold the installation of this backup ({found}). "
        "Empty it, correct the Secret, or restore it yourself with `databases=external`."
    )
