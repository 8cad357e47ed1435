"""What a backup saves of one kind, by name: its plan looks for the same that its phases then save."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from steps import errors
from steps.archive.manifest import Digest
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import Kind, Object
from steps.parts import objects
from steps.parts.objects import Looked
from steps.threescale.references import Reference

_LONGEST_NAME = 255 - len(".json")  # file systems take names of 255 bytes, Kubernetes of 253 characters


class Selection(NamedTuple):
    """Names that lie in one folder of the volume; those in `optional` may be absent."""

    kind: Kind
    folder: str
    names: Sequence[str]
    optional: Collection[str] = ()
    named: Sequence[Reference] = ()  # how the APIManager comes to some of them

    def look(self, cluster: Cluster) -> Looked:
        """Read what is there of it."""
        return objects.look(cluster, self.kind, self.names)

    def objections(self, looked: Looked, cluster: Cluster) -> Iterator[errors.PhaseError]:
        """Say what keeps it from being saved."""
        if long := [name for name in self.names if len(name) > _LONGEST_NAME]:
            yield errors.NamesTooLong(self.kind.name, long, _LONGEST_NAME)
        named = {each.name for each in self.named}
        yield from (error for name, error in looked.refused.items() if name not in named)
        if refused := [name for name in looked.refused if name in named]:
            yield errors.NamesNotAllowed(self.kind.resource, refused, cluster.namespace, cluster.server)
        missing = [name for name in looked.missing if name not in self.optional]
        if own := [name for name in missing if name not in named]:
            yield errors.ObjectsMissing(self.kind.name, own, cluster.namespace)
        if references := [str(each) for each in self.named if each.name in missing]:
            yield errors.ReferencesMissing(references, cluster.namespace)


def save(selections: Sequence[Selection], cluster: Cluster, root: Path) -> dict[str, Digest]:
    """Save them, once all is there that the APIManager names.

    Raises:
        errors.ReferencesMissing, errors.NamesNotAllowed, errors.NamesTooLong: before the first is saved
        as `objects.save_all`

    """
    known: dict[Kind, dict[str, Object]] = {}
    for each in selections:
        if each.named:
            looked = each.look(cluster)
            for objection in each.objections(looked, cluster):
                raise objection
            known.setdefault(each.kind, {}).update(looked.found)
    return {
        path: digest
        for each in selections
        for path, digest in objects.save_all(
            cluster, each.kind, each.names, root, each.folder, optional=each.optional, known=known.get(each.kind, {})
        ).items()
    }
