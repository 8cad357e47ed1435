import json
import shutil
import subprocess
import threading
import time

import pytest

from steps import errors
from steps.process import interruption
from tests.builders.refusals import Holding, refused
from tests.builders.stored import PAGE
from workflows.rehearsal.kubernetes import pod_exec
from workflows.rehearsal.kubernetes.cluster import ExecResult

SIDEKIQ = "sidekiq"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Two servers' certificates of this address, each with its key, neither signed by the other."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl to make certificates")
    folder = tmp_path_factory.mktemp("certificates")
    paths = [folder / name for name in ("one", "another")]
    for path in paths:
        words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=own"]
        words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{path}.key", "-out", f"{path}.crt"]
        subprocess.run(words, check=True, capture_output=True)  # noqa: S603  our own
        path.write_text(path.with_suffix(".key").read_text() + path.with_suffix(".crt").read_text())
    return paths


def ended_with(message):
    """The last words of a command that failed, with an exit code that is anything."""
    return b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": %s}]}}' % message.encode()


class TestExec:
    @pytest.fixture
    def pod(self, empty):
        """A pod that runs, and what a command in it does."""
        empty.kubernetes.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": SIDEKIQ, "namespace": empty.namespace},
                "spec": {"containers": [{"name": "main"}, {"name": "sidecar"}]},
                "status": {"phase": "Running"},
            }
        )
        self.asked = []

        def does(**result):
            def run(_pod, container, command):
                self.asked.append((container, command))
                return ExecResult(**result)

            empty.kubernetes.on_exec(run)
            return empty

        return does

    @staticmethod
    def run(stage, timeout_s=5.0, account=None):
        return stage.connect(account).exec(SIDEKIQ, "main", ["rake", "zync:resync:domains"], timeout_s)

    def test_a_command_that_succeeds_ends_with_0(self, pod):
        assert self.run(pod(stdout="much\n" * 9000, stderr="and more\n")) == 0
        assert self.asked == [("main", ["rake", "zync:resync:domains"])]

    def test_a_command_that_fails_ends_with_its_exit_code(self, pod):
        assert self.run(pod(exit_code=3, stdout="all is well\n")) == 3

    def test_its_output_goes_nowhere(self, pod, capfd, caplog):
        caplog.set_level(0)

        self.run(pod(exit_code=1, stdout="canary-out\n", stderr="canary-err\n"))

        assert "canary" not in "".join(capfd.readouterr()) + caplog.text

    def test_a_dropped_connection_is_no_success(self, pod):
        with refused(errors.ResyncUnknown, pod=SIDEKIQ) as error:
            self.run(pod(stdout="half", dropped=True))

        assert error.value.exit_code == 75

    def test_a_command_that_takes_too_long_is_no_success(self, pod):
        stage = pod(delay_s=60.0)

        with refused(errors.ResyncUnknown, reason="the command is still running"):
            self.run(stage, timeout_s=0.01)

    def test_a_sigterm_ends_the_wait(self, pod):
        stage = pod(delay_s=60.0)
        interruption._asked.set()
        try:
            with pytest.raises(errors.Interrupted):
                self.run(stage)
        finally:
            interruption._asked.clear()

    def test_a_missing_right_is_final(self, pod):
        with refused(errors.NotAllowed, verb="exec into", resource="pods"):
            self.run(pod(), account="threescale-backup")

    def test_the_restore_has_the_right(self, pod):
        assert self.run(pod(), account="threescale-restore") == 0

    @pytest.mark.parametrize("name", [SIDEKIQ, "sidekiq-403"])
    def test_a_pod_that_is_gone_is_tried_again(self, empty, name):
        with refused(errors.ResyncUnknown, reason=Holding("no connection")):
            empty.connect("threescale-restore").exec(name, "main", ["true"], 5.0)

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (b'{"status": "Failure", "message": "no runtime"}', "the container runtime failed"),
            (b'{"half', "JSONDecodeError"),
            (b"", "the connection was dropped"),
            (b"[" * 99_999, "RecursionError"),
            (b"\xff", "UnicodeDecodeError"),
            (b'["Success"]', "the answer has an invalid form"),
            (b'{"status": ["Success"]}', "the container runtime failed"),
            (b'{"status": "Failure", "details": "none"}', "the container runtime failed"),
            (b'{"status": "Failure", "details": {"causes": "none"}}', "the container runtime failed"),
            (b'{"status": "Failure", "details": {"causes": [null, 7]}}', "the container runtime failed"),
            (ended_with('"many"'), "the container runtime failed"),
            (ended_with("3"), "the container runtime failed"),
            (ended_with('"0"'), "the container runtime failed"),
            (ended_with('"-1"'), "the container runtime failed"),
            (ended_with('"3"').replace(b"Failure", b"Other"), "the container runtime failed"),
            (b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode"}]}}', "the container runtime failed"),
        ],
    )
    def test_an_end_without_an_exit_code_is_no_success(self, pod, monkeypatch, words, reason):
        # A mock of the last words on the wire: there is no container runtime here that could fail.
        def end(_result):
            return pod_exec._frame(0x82, bytes([pod_exec.ERROR]) + words) + pod_exec._frame(0x88, b"\x03\xe8")

        monkeypatch.setattr(pod_exec, "end", end)

        with refused(errors.ResyncUnknown, reason=Holding(reason), server=Holding("127.0.0.1:")):
            self.run(pod())

    def test_half_a_frame_is_not_waited_for_longer_than_the_command(self, pod, monkeypatch):
        monkeypatch.setattr(pod_exec, "output", lambda _result: [b"\x82\x05ab"])
        stage, began = pod(delay_s=3.0), time.monotonic()

        with refused(errors.ResyncUnknown, reason="the command is still running"):
            self.run(stage, timeout_s=0.2)

        assert time.monotonic() - began < 2.0

    @pytest.mark.parametrize(
        "answer", [{"delay_s": 10.0}, {"status": 403, "drip_s": 0.1, "text": PAGE}], ids=["silent", "drips"]
    )
    def test_a_server_that_does_not_open_is_not_waited_for_longer_than_for_an_answer(self, through, answer):
        door, began = through(timeout_s=0.3, **answer), time.monotonic()

        with refused(errors.ResyncUnknown, reason="no connection in time", server=Holding("127.0.0.1:")) as error:
            door.exec(SIDEKIQ, "main", ["true"], 5.0)

        assert time.monotonic() - began < 1.0
        assert error.value.exit_code == 75

    def test_a_sigterm_ends_the_wait_for_a_server_that_does_not_open(self, through):
        door, began = through(timeout_s=20.0, delay_s=20.0), time.monotonic()
        threading.Timer(0.1, interruption._asked.set).start()
        try:
            with pytest.raises(errors.Interrupted):
                door.exec(SIDEKIQ, "main", ["true"], 5.0)
        finally:
            interruption._asked.clear()

        assert time.monotonic() - began < 2.0

    def test_a_redirect_is_not_followed(self, through, tmp_path):
        through()
        config = json.loads((tmp_path / "kubeconfig").read_text())
        elsewhere = config["clusters"][0]["cluster"]["server"].replace("http", "ws")
        door = through(status=302, more={"Location": elsewhere})

        with refused(errors.ResyncUnknown, reason=Holding("no connection")):
            door.exec(SIDEKIQ, "main", ["true"], 5.0)

        assert not through.servers[0].asked.is_set()
        assert through.servers[1].asked.is_set()

    @pytest.mark.filterwarnings("ignore:.*certificate verification is disabled")
    @pytest.mark.parametrize(
        ("trusted", "reason"), [("one", "HTTP 403"), ("another", "SSLCertVerificationError"), ("", "HTTP 403")]
    )
    def test_only_a_server_that_is_trusted_is_asked_unless_that_is_not_wanted(
        self, through, certificates, trusted, reason
    ):
        authority = certificates[0].with_name(f"{trusted}.crt") if trusted else None
        door = through(status=403, tls=(certificates[0], authority))

        with refused(errors.ResyncUnknown, reason=Holding(reason)):
            door.exec(SIDEKIQ, "main", ["true"], 5.0)

    @pytest.mark.parametrize("text", [PAGE, b""])
    def test_a_page_is_no_missing_right(self, through, text):
        with refused(errors.ResyncUnknown, reason="no connection, HTTP 403"):
            through(status=403, text=text).exec(SIDEKIQ, "main", ["true"], 5.0)

    def test_who_is_not_known_and_has_no_token_any_more_is_tried_again(self, through, tmp_path):
        door = through(status=401)
        (tmp_path / "kubeconfig").unlink()

        with pytest.raises(errors.NotKnown):
            door.exec(SIDEKIQ, "main", ["true"], 5.0)
