"""All examinations of the doctor, in the order of their lines."""

from workflows.doctor import argo, controller, installed, needs, pods, repositories, storage, threescale
from workflows.doctor.finding import Examination

EXAMINATIONS: tuple[Examination, ...] = (
    *argo.EXAMINATIONS,
    *controller.EXAMINATIONS,
    *installed.EXAMINATIONS,
    *pods.EXAMINATIONS,
    *needs.EXAMINATIONS,
    *storage.EXAMINATIONS,
    *repositories.EXAMINATIONS,
    *threescale.EXAMINATIONS,
)
