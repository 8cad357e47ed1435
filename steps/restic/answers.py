from steps import errors


def of(code, stderr, *, repository, command, limit_s=None):
    return {10: errors.NoRepository(repository), 11: errors.RepositoryLocked(repository)}.get(
        code, errors.ResticFailed(repository, f"{command} {code} {stderr}")
    )
