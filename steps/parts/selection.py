"""The objects of one kind that a backup saves, by name. Its plan checks the same names that its phases save."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from steps import errors
from steps.archive.manifest import Digest
from steps.files import writing
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import Kind, Object
from steps.parts import objects
from steps.parts.objects import Looked
from steps.process import interruption
from steps.threescale.references import Reference, defaults

log = logging.getLogger(__name__)

_LONGEST_NAME = 255 - len(".json")  # file systems take names of 255 bytes, Kubernetes of 253 characters


class Selection(NamedTuple):
    """Names of objects in one folder of the volume. Those in `optional` may be missing."""

    kind: Kind
    folder: str
    names: Sequence[str]
    optional: Collection[str] = ()
    named: Sequence[Reference] = ()  # where the APIManager names some of them

    def look(self, cluster: Cluster) -> Looked:
        """Read the objects that exist."""
        return objects.look(cluster, self.kind, self.names)

    def save(self, cluster: Cluster, root: Path, known: Mapping[str, Object] = {}) -> dict[str, Digest]:
        """Save the objects to a folder that then holds nothing else. `known` are objects already read, by name.

        Raises:
            errors.ObjectsMissing: after all existing objects were saved.

        """
        for part in (self.folder.partition("/")[0], self.folder):
            writing.make_folder(root, part)
        writing.clear(root, self.folder)
        saved, missing = {}, []
        for name in self.names:
            interruption.point()
            obj = known[name] if name in known else self._get(cluster, name)
            if obj is not None:
                path = f"{self.folder}/{name}.json"
                saved[path] = objects.save(root, path, obj)
                log.info("%s %s: saved, %d bytes", self.kind.name, name, saved[path].size)
            elif name in self.optional:
                log.info("%s %s: skipped, it is optional and does not exist", self.kind.name, name)
            else:
                missing.append(name)
        if missing:
            raise errors.ObjectsMissing(self.kind.name, missing, cluster.namespace)
        return saved

    @property
    def defaults(self) -> set[str]:
        """Names that the APIManager does not have, and the operator uses. Nothing depends on their objects."""
        return defaults(self.named)

    def _get(self, cluster: Cluster, name: str) -> Object | None:
        try:
            return cluster.get(self.kind, name)
        except errors.NotAllowed:
            if name in self.defaults:  # a Role that was rendered before this name was known
                return None
            raise

    def objections(self, looked: Looked, cluster: Cluster) -> Iterator[errors.PhaseError]:
        """The reasons why these objects can't be saved."""
        if long := [name for name in self.names if len(name) > _LONGEST_NAME]:
            yield errors.NamesTooLong(self.kind.name, long, _LONGEST_NAME)
        named = {each.name for each in self.named}
        yield from (error for name, error in looked.refused.items() if name not in named)
        if refused := [name for name in looked.refused if name in named and name not in self.defaults]:
            yield errors.NamesNotAllowed(self.kind.resource, refused, cluster.namespace, cluster.server)
        missing = [name for name in looked.missing if name not in self.optional]
        if own := [name for name in missing if name not in named]:
            yield errors.ObjectsMissing(self.kind.name, own, cluster.namespace)
        if references := [str(each) for each in self.named if each.name in missing]:
            yield errors.ReferencesMissing(references, cluster.namespace)


def save(selections: Sequence[Selection], cluster: Cluster, root: Path) -> dict[str, Digest]:
    """Save the objects, after a check that all objects exist that the APIManager names.

    Raises:
        errors.ReferencesMissing, errors.NamesNotAllowed, errors.NamesTooLong: before the first is saved
        as `Selection.save`

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
        for path, digest in each.save(cluster, root, known.get(each.kind, {})).items()
    }
