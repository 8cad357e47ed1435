"""Commands in pods: their exit codes, and the ways in which there is none."""

import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.stream.ws_client import ERROR_CHANNEL, websocket_call

from steps import errors
from tests.builders.refusals import Holding, refused

RUNNING = "running"
TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def pod(cluster):
    """A pod of two containers that is running."""
    cluster.pod(RUNNING, "running", "main", "sidecar")
    return RUNNING


@pytest.fixture(scope="module")
def execute(cluster):
    """Run a command as a restore does, through the phases' own door."""
    door = cluster.connect("threescale-restore")

    def run(pod, container, *command, timeout_s=TIMEOUT_S):
        return door.exec(pod, container, command, timeout_s)

    return run


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("exit 0", 0),
        ("exit 3", 3),
        ("exit 255", 255),
        ("no-such-program", 127),
        ("kill -KILL $$", 137),
        ("kill -TERM $$", 143),
    ],
)
def test_a_command_ends_with_its_exit_code(pod, execute, command, code):
    assert execute(pod, "main", "bash", "-c", command) == code


def test_the_words_of_a_command_arrive_as_they_are(pod, execute):
    script = 'test "$#" = 3 && test "$1" = "a b" && test "$2" = "ü&=?%" && test "$3" = ""'

    assert execute(pod, "main", "sh", "-c", script, "sh", "a b", "ü&=?%", "") == 0


def test_any_container_of_a_pod_can_be_meant(pod, execute):
    assert execute(pod, "sidecar", "true") == 0


def test_output_goes_nowhere_and_holds_nothing_up(pod, execute, capfd, caplog):
    caplog.set_level(0)

    code = execute(
        pod, "main", "python", "-c", "import sys; print('canary' * 99_999); print('canary', file=sys.stderr)"
    )

    assert code == 0
    assert "canary" not in "".join(capfd.readouterr()) + caplog.text


def test_a_command_gets_no_input(pod, execute):
    assert execute(pod, "main", "sh", "-c", "cat </dev/stdin >/dev/null") == 0


@pytest.mark.parametrize("command", ["/no/such/program", "/etc/passwd", "/tmp"])
def test_a_command_that_cannot_be_started_has_no_exit_code(pod, execute, command):
    with refused(errors.ResyncUnknown, reason="the container runtime failed"):
        execute(pod, "main", command)


@pytest.mark.parametrize(
    ("name", "container"),
    [("no-such-pod", "main"), ("no-such-pod-403", "main"), (RUNNING, "no-such-container")],
)
@pytest.mark.usefixtures("pod")
def test_where_nothing_can_run_there_is_no_connection(execute, name, container):
    with refused(errors.ResyncUnknown, reason=Holding("no connection")):
        execute(name, container, "true")


@pytest.mark.parametrize("state", ["ended", "without image"])
def test_a_container_that_does_not_run_has_no_exit_code(cluster, execute, state):
    name = state.replace(" ", "-")
    cluster.pod(name, state)

    with refused(errors.ResyncUnknown, reason="the container runtime failed"):
        execute(name, "main", "true")


def test_a_pod_that_no_node_has_is_refused(cluster, execute):
    cluster.pod("unscheduled", "unscheduled")

    with refused(errors.ResyncUnknown, reason=Holding("no connection")) as error:
        execute("unscheduled", "main", "true")

    assert "pod unscheduled does not have a host assigned" in str(error.value.__cause__)


@pytest.mark.parametrize("account", ["threescale-backup", "stranger"])
def test_without_the_right_no_command_runs(cluster, pod, account):
    with refused(errors.NotAllowed, verb="exec into", resource="pods", name=pod):
        cluster.connect(account).exec(pod, "main", ["true"], TIMEOUT_S)


def test_a_path_that_asks_for_no_upgrade_is_a_bad_request(cluster, pod):
    query = [("container", "main"), ("command", "true"), ("stdout", "true")]

    answer = cluster.ask("GET", f"pods/{pod}/exec", query=query)

    assert (answer.status, answer.message) == (400, "Upgrade request required")


# --- the words on the wire, by which the door tells the ends apart ---


def last_words(cluster, pod, container, *command):
    api = cluster.connect()._api
    query = [("container", container), ("stdout", "true"), *(("command", word) for word in command)]
    method, url, headers, *_ = api.param_serialize(
        "GET", cluster.path(f"pods/{pod}/exec"), query_params=query, auth_settings=["BearerToken"]
    )
    connection = websocket_call(api.configuration, method, url, headers=headers, _preload_content=False)
    try:
        connection.run_forever(timeout=TIMEOUT_S)
        return connection.read_channel(ERROR_CHANNEL).replace('": ', '":').replace(", ", ",")
    finally:
        connection.sock.shutdown()


def test_success_is_said_in_one_word(cluster, pod):
    assert last_words(cluster, pod, "main", "true") == '{"metadata":{},"status":"Success"}'


def test_an_exit_code_is_a_cause(cluster, pod):
    message = "command terminated with non-zero exit code: command terminated with exit code 3"

    said = last_words(cluster, pod, "main", "sh", "-c", "exit 3")

    assert said == (
        f'{{"metadata":{{}},"status":"Failure","message":"{message}","reason":"NonZeroExitCode",'
        '"details":{"causes":[{"reason":"ExitCode","message":"3"}]}}'
    )


def test_a_failure_to_start_has_a_cause_without_a_reason(cluster, pod):
    said = last_words(cluster, pod, "main", "/no/such/program")

    assert said.startswith('{"metadata":{},"status":"Failure","message":"Internal error occurred: ')
    assert '"reason":"InternalError","details":{"causes":[{"message":"' in said
    assert said.endswith('"code":500}')


@pytest.mark.parametrize(
    ("pod_and_container", "said"),
    [
        (("no-such-pod", "main"), 'Handshake status 404 Not Found.*pods \\\\"no-such-pod\\\\" not found'),
        ((RUNNING, "other"), "Handshake status 400 Bad Request.*container other is not valid for pod running"),
        ((RUNNING, ""), "a container name must be specified for pod running, choose one of: \\[main sidecar\\]"),
    ],
)
@pytest.mark.usefixtures("pod")
def test_a_refused_handshake_begins_with_its_status(cluster, pod_and_container, said):
    with pytest.raises(ApiException, match=f"(?s){said}"):
        last_words(cluster, *pod_and_container, "true")
