"""The settings that are fixed at rendering, so that a person who submits a workflow can't choose what runs."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from steps.contract import values

Namespace = Annotated[str, AfterValidator(values.NAMESPACE.check)]
ObjectName = Annotated[str, AfterValidator(values.OBJECT.check)]


class Settings(BaseModel):
    """The settings of one installation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str = Field(pattern=r"^[!-~]+$")
    namespace: Namespace | None = None
    fs_group: int | None = Field(default=None, ge=0, lt=1 << 31)
    run_as_user: int | None = Field(default=None, ge=1, lt=1 << 31)
    secrets: tuple[ObjectName, ...] = ()  # names from an APIManager, for the Roles
    configmaps: tuple[ObjectName, ...] = ()
    all_secrets: bool = False  # instead of names
    drill_namespace: Namespace | None = None  # for its Role
    look_s: float = Field(default=5.0, ge=0, le=3600)  # between two checks of the operator's progress
    notify_secret: ObjectName | None = None  # its key `url` is the address for results
    notify_form: Literal["webhook", "slack"] = "webhook"
