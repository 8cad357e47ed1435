"""Names of a 3scale installation, each with its source.

"operator" is 3scale-operator, branches 3scale-2.9-stable to 3scale-2.16-stable: the lists are the same in all of them.
"""

from typing import NamedTuple


class Kind(NamedTuple):
    """Where the API server keeps objects of one kind."""

    api: str  # "api/v1", "apis/GROUP/VERSION"
    resource: str
    name: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As an object carries it: `v1`, `GROUP/VERSION`."""
        return self.api.partition("/")[2]

    @property
    def group(self) -> str:
        """As a Role names it; the core group is empty."""
        return self.api_version.partition("/")[0] if "/" in self.api_version else ""


SECRET = Kind("api/v1", "secrets", "Secret")
CONFIGMAP = Kind("api/v1", "configmaps", "ConfigMap")
CLAIM = Kind("api/v1", "persistentvolumeclaims", "PersistentVolumeClaim")
VOLUME = Kind("api/v1", "persistentvolumes", "PersistentVolume", namespaced=False)
POD = Kind("api/v1", "pods", "Pod")
EVENT = Kind("api/v1", "events", "Event")
DEPLOYMENT = Kind("apis/apps/v1", "deployments", "Deployment")
DEPLOYMENT_CONFIG = Kind("apis/apps.openshift.io/v1", "deploymentconfigs", "DeploymentConfig")
ROUTE = Kind("apis/route.openshift.io/v1", "routes", "Route")
APIMANAGER = Kind("apis/apps.3scale.net/v1alpha1", "apimanagers", "APIManager")
APIMANAGER_BACKUP = Kind("apis/apps.3scale.net/v1alpha1", "apimanagerbackups", "APIManagerBackup")
WORKFLOW = Kind("apis/argoproj.io/v1alpha1", "workflows", "Workflow")
CRON_WORKFLOW = Kind("apis/argoproj.io/v1alpha1", "cronworkflows", "CronWorkflow")

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
)  # made once and then left to the user, and not saved by the operator
ZYNC_SECRET = "zync"  # noqa: S105  the name of a Secret, not its value

# Without these the restored databases and the restored objects disagree: addresses of the databases, and the values
# that the operator draws at random once (operator, pkg/3scale/amp/operator/*_options_provider.go).
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

SYSTEM_STORAGE = "system-storage"  # the claim of System FileStorage, always of this name (operator, system.go)
SYSTEM_STORAGE_FLOOR = "100Mi"  # what the operator itself gives it (operator, pkg/restore)
SYSTEM_STORAGE_ACCESS_MODE = "ReadWriteMany"

SIDEKIQ = "system-sidekiq"  # Deployment and container
POD_LABELS = ("deployment", "deploymentconfig")  # from 3scale 2.15, and before
COMPONENT_LABEL = "threescale_component"  # on every workload and its pods, in all versions
RESYNC_COMMAND = ("bash", "-c", "bundle exec rake zync:resync:domains")  # operator, pkg/restore

THREESCALE_VERSION = "apps.3scale.net/apimanager-threescale-version"
OPERATOR_VERSION = "apps.3scale.net/threescale-operator-version"
CONFIRMED_REQUIREMENTS = "apps.3scale.net/apimanager-confirmed-requirements-version"  # means one cluster's ConfigMap
WATCHED_SECRET_PREFIX = "secret.apimanager.apps.3scale.net/"  # noqa: S105  label of an APIManager: uids of one cluster's Secrets
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# operator, config/manager/manager.yaml; the first up to 2.14
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

# Ours beside it, of fixed names: evidence of restores, drills and backups that failed; what a drill has made.
BACKUP_RESULTS = "threescale-backup-results"
RESTORE_RESULTS = "threescale-restore-results"
DRILL_RESULTS = "threescale-drill-results"
DRILL_LEDGER = "threescale-drill"
