"""Names of a 3scale installation, each with its source.

"operator" is 3scale-operator, branches 3scale-2.9-stable to 3scale-2.16-stable: the lists are the same in all of them.
"""

from steps.contract import names

# Saved by the operator, pkg/backup/apimanager_backup.go.
DATABASE_SECRETS = ("backend-redis", "system-database", "system-redis")
RESTORED_SECRETS = (
    "backend-internal-api",
    "backend-listener",
    "system-app",
    "system-events-hook",
    "system-master-apicast",
    "system-recaptcha",
    "system-seed",
    "system-smtp",
    "zync",
)
SECRETS = tuple(sorted((*RESTORED_SECRETS, *DATABASE_SECRETS, "system-memcache")))
CONFIGMAPS = ("apicast-environment", "system-environment")
EDITED_CONFIGMAPS = (
    "backend-environment",
    "system",
)  # created once and then left to the user; the operator does not save them
# Used without a field that names it (operator, AmpImagesDefaultImagePullSecrets); none from 2.16 on.
DEFAULT_PULL_SECRET = "threescale-registry-auth"  # noqa: S105  the name of a Secret, not its value
LAST_WITH_PULL_SECRET = (2, 15)
ZYNC_SECRET = "zync"  # noqa: S105  the name of a Secret, not its value

# Without these keys the restored objects don't fit the restored databases: addresses of the databases, and values
# that the operator generates at random once (operator, pkg/3scale/amp/operator/*_options_provider.go).
REQUIRED_KEYS = {
    "backend-redis": ("REDIS_STORAGE_URL", "REDIS_QUEUES_URL"),
    "system-redis": ("URL",),
    "system-database": ("URL",),
    "backend-internal-api": ("password",),
    "system-app": ("SECRET_KEY_BASE",),
    "system-events-hook": ("PASSWORD",),
    "system-master-apicast": ("ACCESS_TOKEN",),
    "system-seed": ("MASTER_PASSWORD", "MASTER_ACCESS_TOKEN", "ADMIN_PASSWORD", "ADMIN_ACCESS_TOKEN"),
    "zync": ("SECRET_KEY_BASE", "DATABASE_URL", "ZYNC_DATABASE_PASSWORD", "ZYNC_AUTHENTICATION_TOKEN"),
}

SYSTEM_STORAGE = names.SYSTEM_STORAGE
SYSTEM_STORAGE_FLOOR = "100Mi"  # the operator's own size (operator, pkg/restore)
SYSTEM_STORAGE_ACCESS_MODE = "ReadWriteMany"

SIDEKIQ = "system-sidekiq"  # Deployment and container
POD_LABELS = ("deployment", "deploymentconfig")  # 3scale 2.15 and later, and before 2.15
# Deployments, up to 2.14 DeploymentConfigs (operator, pkg/3scale/amp/component). The databases that it can run are left
# out: system-mysql, system-postgresql, system-redis, backend-redis, zync-database. People run their own ones beside
# 3scale under these names.
WORKLOADS = (
    "apicast-production",
    "apicast-staging",
    "backend-cron",
    "backend-listener",
    "backend-worker",
    "system-app",
    "system-memcache",
    "system-searchd",  # from 2.14
    SIDEKIQ,
    "system-sphinx",  # up to 2.13
    "zync",
    "zync-que",
)
# Zync's label of a Route, now and before (zync, app/services/integration/kubernetes_service.rb). The owner of the Route
# is the root of the owners of Zync's pod, as far as Zync may read them: the APIManager, or the workload.
ZYNC_LABELS = ("3scale.net/created-by", "3scale.created-by")
ZYNC_LABEL_VALUE = "zync"
ZYNC_WORKLOADS = ("zync", "zync-que")
RESYNC_COMMAND = ("bash", "-c", "bundle exec rake zync:resync:domains")  # operator, pkg/restore

THREESCALE_VERSION = "apps.3scale.net/apimanager-threescale-version"
OPERATOR_VERSION = "apps.3scale.net/threescale-operator-version"
CONFIRMED_REQUIREMENTS = (
    "apps.3scale.net/apimanager-confirmed-requirements-version"  # refers to a ConfigMap of one cluster
)
WATCHED_SECRET_PREFIX = "secret.apimanager.apps.3scale.net/"  # noqa: S105  label of an APIManager: uids of one cluster's Secrets
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# operator, config/manager/manager.yaml; the first one up to 2.14
OPERATOR_DEPLOYMENTS = (
    "threescale-operator-controller-manager-v2",
    "threescale-operator-controller-manager",
    "3scale-operator",
)
OPERATOR_VERSION_LABEL = "rht.comp_ver"

# Annotations that APIManagerBackup puts on its claim (operator, pkg/backup).
BACKUP_NAME = "apiManagerBackupName"
BACKUP_UID = "apiManagerBackupUID"
APIMANAGER_NAME = "apiManagerName"
APIMANAGER_UID = "apiManagerUID"
