"""The stage of the faults of repositories: a bucket behind a proxy, and what lies in it and in the cluster."""

import os
import signal
import time

from steps.archive import contents, marks
from steps.kubernetes import fields
from tests.builders import repositories, restic_locks
from tests.builders.claims import CLAIMS
from tests.builders.repositories import Looked

DATA, INDEX, SNAPSHOTS, LOCKS = "/data/", "/index/", "/snapshots/", "/locks/"


class Copies:
    """A namespace with a sealed backup `nightly`, and the repository for its copies."""

    def __init__(self, stage, hand, restic, bucket, faults):
        self.stage, self.hand, self.bucket, self.faults = stage, hand, bucket, faults
        self.restic = restic
        self.looked = Looked(restic, bucket.repository(), **bucket.server.credentials)
        self.folder = bucket.folder / "repository"

    def give(self, **keys):
        """Apply the Secret, with other values than the right ones or more."""
        told = {**self.bucket.server.credentials, **keys}
        address = told.pop("RESTIC_REPOSITORY", self.bucket.repository(self.faults.address))
        self.stage.kubernetes.apply(repositories.secret(self.stage.namespace, address, **told))

    def push(self, **parameters):
        return self._submit("threescale-push", parameters)

    def fetch(self, **parameters):
        return self._submit("threescale-fetch", {"name": "back", **parameters})

    def _submit(self, template, parameters):
        told = {name.replace("_", "-"): value for name, value in parameters.items()}
        return self.stage.engine.submit(template, told)

    def leave_lock(self, minutes, **more):
        """Leave a lock of a pod that is gone."""
        key = self.looked.run("cat", "masterkey", "--no-lock").stdout
        (self.folder / "locks").mkdir(exist_ok=True)  # the server keeps no folder without an object
        left = restic_locks.leave(self.folder, key, minutes=minutes, **more)
        time.sleep(1.2)  # the server looks at its folders once a second
        return left

    def kill(self, phase, *, after=False, **request):
        """Kill the next try of a phase, with its restic, as a request reaches the store or as it is done."""

        def blow(process):
            def kill():
                os.killpg(process.pid, signal.SIGKILL)

            self.faults.call(**{"after" if after else "before": kill}, **request)

        self.hand.against(phase, blow)

    # --- afterwards ---

    def is_pushed(self, name="nightly"):
        return bool(fields.label(self.stage.get(CLAIMS, name), marks.PUSHED))

    def is_whole(self, name):
        """Whether a claim is sealed, and each byte of it is right."""
        claim = self.stage.get(CLAIMS, name)
        opened = contents.open_at(self.stage.engine.volume(name))
        return marks.sealed(claim) and not list(opened.findings(digests=True))

    def check(self):
        """Check the repository by restic itself, every byte of it."""
        return self.looked.run("check", "--read-data", "--no-lock", check=False).returncode == 0


def codes(workflow, phase):
    """The exit codes of the tries."""
    return [attempt.exit_code for attempt in workflow.node(phase).attempts]


def message(workflow, phase):
    return workflow.node(phase).attempts[-1].message
