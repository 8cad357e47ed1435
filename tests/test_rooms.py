"""The layers, written down, and read by a machine: imports point down only."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the top; a module imports those of lower lines only.
STEPS = [
    "__main__",
    "backing_up restoring pruning proving watching notifying",
    "restoration",
    "run restore_plan backup_plan deletion drill verification",
    "watchdog",
    "prerequisites routes outcome set_aside retention proof",
    "secrets configmaps apimanager file_storage",
    "system_storage selection",
    "operators_restore evidence plan catalogue",
    "claims objects",
    "backup events",
    "notification",
    "seal result",
    "saved copier",
    "tree",
    "ahead",
    "manifest cluster",
    "volume interruption medium references domain gitops rotation arguments",
    "marks mtree installation errors fields permissions values",
    "beneath",
]
WORKFLOWS = [
    "__main__",
    "commands",
    "rehearsal",
    "manifests resources",
    "access",
    "schedule monitoring",
    "dashboard",
    "backup restore verify drill watchdog",
    "prune",
    "template",
    "notification",
    "phases parameters page listing",
    "metrics cron document",
    "conditions",
]
LAYERS = [
    (package, name, depth)
    for package, lines in (("steps", STEPS), ("workflows", WORKFLOWS))
    for depth, line in enumerate(lines)
    for name in line.split()
]
DEPTHS = {(package, name): depth for package, name, depth in LAYERS}
FILES = sorted(path for package in ("steps", "workflows") for path in (ROOT / package).rglob("*.py"))
OF_TESTS = sorted(path for name in ("test_*", "conftest", "builders/*") for path in ROOT.glob(f"tests/**/{name}.py"))


@functools.cache
def tree_of(path):
    return ast.parse(path.read_text())


@functools.cache
def imports(path):
    """All that a file imports, wherever in it, as dotted names of modules."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative name"
            below = ROOT.joinpath(*node.module.split(".")).is_dir()
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if below else {node.module}
    return found


def name_of(path):
    return str(path.relative_to(ROOT))


def modules(path):
    """The first two parts of what a file imports of this project."""
    return {tuple(name.split(".")[:2]) for name in imports(path) if name.split(".")[0] in {"steps", "workflows"}}


def room_of(path):
    """Package and module that a file belongs to; a package in it is one."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0], parts[1]


def importers_of(package):
    return {name_of(path) for path in FILES if package in {name.split(".")[0] for name in imports(path)}}


def test_every_module_has_its_layer():
    rooms = {room_of(path) for path in FILES if path.parent.parent != ROOT or path.stem != "__init__"}

    assert rooms == set(DEPTHS)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_down_only(path):
    package, module = room_of(path)
    for other in modules(path) - {(package, "__version__")}:
        if other[0] == package and other != (package, module):
            assert DEPTHS[other] > DEPTHS[(package, module)], f"{name_of(path)} imports {'.'.join(other)}"


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[-2] == "steps"], ids=name_of)
def test_the_steps_know_nothing_of_workflows(path):
    tops = {name.split(".")[0] for name in imports(path)}

    assert not tops & {"workflows", "hera", "rich", "yaml"}


def test_no_test_module_is_imported():
    borrowed = {
        (name_of(path), name)
        for path in OF_TESTS
        for name in imports(path)
        if name.split(".")[0] == "tests" and name.rpartition(".")[2].startswith("test_")
    }

    assert borrowed == set()


def test_one_door_leads_to_kubernetes():
    assert importers_of("kubernetes") == {"steps/cluster.py"}


def test_below_their_command_the_workflows_know_names_of_the_steps_only():
    used = {
        (name_of(path), other[1])
        for path in FILES
        if path.parts[-2] not in {"steps", "commands"}
        for other in modules(path)
        if other[0] == "steps"
    }

    assert {module for _, module in used} == {"installation", "values"}


def test_the_comparison_of_the_rehearsal_knows_nothing_of_the_project():
    path = ROOT / "workflows/rehearsal/comparison.py"

    assert modules(path) == set()
    assert {name.split(".")[0] for name in imports(path)} <= sys.stdlib_module_names


def test_the_rehearsal_but_its_director_knows_nothing_of_our_workflows():
    users = {
        name_of(path)
        for path in (ROOT / "workflows/rehearsal").glob("*.py")
        if any(room[1] != "rehearsal" for room in modules(path))
    }

    assert users == {"workflows/rehearsal/rehearse.py"}


@pytest.mark.parametrize("path", [path for path in FILES if path.name != "__main__.py"], ids=name_of)
def test_only_the_two_commands_print(path):
    calls = [node.func for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]

    assert not [call.lineno for call in calls if isinstance(call, ast.Name) and call.id == "print"]


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[-2] == "steps"], ids=name_of)
def test_errors_that_a_phase_can_end_with_are_drawn_in_one_place(path):
    bases = {
        ast.unparse(base)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        for base in node.bases
    }

    assert path.name == "errors.py" or not {base for base in bases if "Error" in base or "Exception" in base}


@pytest.mark.parametrize("command", [["workflows", "--help"], ["workflows", "rehearse", "--help"]], ids=" ".join)
def test_the_help_of_the_people_s_command_imports_neither_hera_nor_kubernetes(command):
    module, *arguments = command
    script = (
        "import runpy, sys\n"
        f"sys.argv = ['threescale-backup', *{arguments!r}]\n"
        "try:\n"
        f"    runpy.run_module({module!r}, run_name='__main__')\n"
        "finally:\n"
        "    print('imported:', *sorted({'hera', 'kubernetes'} & set(sys.modules)))\n"
    )

    done = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout.startswith("Usage: ")
    assert done.stdout.splitlines()[-1] == "imported:"
