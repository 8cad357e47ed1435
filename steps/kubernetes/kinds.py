"""Objects as the API server gives them, and where it keeps those of each kind."""

from typing import Any, NamedTuple

Object = dict[str, Any]


class Kind(NamedTuple):
    """Where the API server keeps objects of one kind."""

    api: str  # "api/v1", "apis/GROUP/VERSION"
    resource: str
    name: str
    namespaced: bool = True
    has_spec: bool = True  # on every server; an object without a spec is not valid

    @property
    def api_version(self) -> str:
        """The apiVersion of an object: `v1`, `GROUP/VERSION`."""
        return self.api.partition("/")[2]

    @property
    def group(self) -> str:
        """The API group, as a Role names it. The core group is empty."""
        return self.api_version.partition("/")[0] if "/" in self.api_version else ""


SECRET = Kind("api/v1", "secrets", "Secret", has_spec=False)
CONFIGMAP = Kind("api/v1", "configmaps", "ConfigMap", has_spec=False)
CLAIM = Kind("api/v1", "persistentvolumeclaims", "PersistentVolumeClaim")
VOLUME = Kind("api/v1", "persistentvolumes", "PersistentVolume", namespaced=False)
POD = Kind("api/v1", "pods", "Pod")
EVENT = Kind("api/v1", "events", "Event", has_spec=False)
QUOTA = Kind("api/v1", "resourcequotas", "ResourceQuota")
# OpenShift's quotas over several namespaces, as one of these sees them
CLUSTER_QUOTA = Kind("apis/quota.openshift.io/v1", "appliedclusterresourcequotas", "AppliedClusterResourceQuota")
NAMESPACE = Kind("api/v1", "namespaces", "Namespace", namespaced=False, has_spec=False)
NODE = Kind("api/v1", "nodes", "Node", namespaced=False)
SERVICE_ACCOUNT = Kind("api/v1", "serviceaccounts", "ServiceAccount", has_spec=False)
ROLE = Kind("apis/rbac.authorization.k8s.io/v1", "roles", "Role", has_spec=False)
ROLE_BINDING = Kind("apis/rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", has_spec=False)
STORAGE_CLASS = Kind("apis/storage.k8s.io/v1", "storageclasses", "StorageClass", namespaced=False, has_spec=False)
DEPLOYMENT = Kind("apis/apps/v1", "deployments", "Deployment")
DEPLOYMENT_CONFIG = Kind("apis/apps.openshift.io/v1", "deploymentconfigs", "DeploymentConfig")
ROUTE = Kind("apis/route.openshift.io/v1", "routes", "Route")
APIMANAGER = Kind("apis/apps.3scale.net/v1alpha1", "apimanagers", "APIManager")
APIMANAGER_BACKUP = Kind("apis/apps.3scale.net/v1alpha1", "apimanagerbackups", "APIManagerBackup", has_spec=False)
WORKFLOW = Kind("apis/argoproj.io/v1alpha1", "workflows", "Workflow")
CRON_WORKFLOW = Kind("apis/argoproj.io/v1alpha1", "cronworkflows", "CronWorkflow")
WORKFLOW_TEMPLATE = Kind("apis/argoproj.io/v1alpha1", "workflowtemplates", "WorkflowTemplate")
TASK_RESULT = Kind("apis/argoproj.io/v1alpha1", "workflowtaskresults", "WorkflowTaskResult", has_spec=False)
PROMETHEUS_RULE = Kind("apis/monitoring.coreos.com/v1", "prometheusrules", "PrometheusRule")
# OpenShift's rules for pods, which also fill in what a pod leaves out
SECURITY_CONSTRAINTS = Kind(
    "apis/security.openshift.io/v1",
    "securitycontextconstraints",
    "SecurityContextConstraints",
    namespaced=False,
    has_spec=False,
)
