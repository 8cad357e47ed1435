"""What is fixed when rendering, so that whoever submits a workflow can't choose what runs."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from steps.contract import values

Namespace = Annotated[str, AfterValidator(values.NAMESPACE.check)]
ObjectName = Annotated[str, AfterValidator(values.OBJECT.check)]


class Settings(BaseModel):
    """Of one installation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str = Field(pattern=r"^[!-~]+$")
    namespace: Namespace | None = None
    fs_group: int | None = Field(default=None, ge=0, lt=1 << 31)
    run_as_user: int | None = Field(default=None, ge=1, lt=1 << 31)
    secrets: tuple[ObjectName, ...] = ()  # that an APIManager names, for the Roles
    configmaps: tuple[ObjectName, ...] = ()
    all_secrets: bool = False  # instead of any name
    drill_namespace: Namespace | None = None  # for its Role
    look_s: float = Field(default=5.0, ge=0, le=3600)  # between two looks at the operator; its own rhythm
    notify_secret: ObjectName | None = None  # whose key `url` says where results go
    notify_form: Literal["webhook", "slack"] = "webhook"
