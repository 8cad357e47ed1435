"""The layers, written down, and read by a machine: imports point down only."""

import ast
import functools
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the top; a module imports those of lower lines only, and of its own folder without a circle.
STEPS = [
    "__main__",
    "phases",
    "plans",
    "repository databases",
    "parts",
    "catalogue",
    "evidence",
    "archive",
    "files threescale",
    "kubernetes restic redis postgresql",
    "contract",
    "process",
    "errors",
]
WORKFLOWS = [
    "__main__",
    "commands",
    "rehearsal doctor",
    "manifests",
    "configuration",
    "access",
    "schedule",
    "backup restore verify drill watchdog",
    "prune push fetch repository_prune",
    "monitoring",
    "rendering",
]
# Folders and single modules of the rehearsal, each with what it may import of the others.
REHEARSAL = {
    "rehearse": {"argo", "kubernetes", "threescale", "comparison"},
    "comparison": set(),
    "argo": {"kubelet", "kubernetes", "errors"},
    "kubelet": {"kubernetes", "errors"},
    "threescale": {"kubernetes"},
    "kubernetes": set(),
    "errors": set(),
}
# Modules of the steps without a test file of their name, each with the place of its tests.
TESTED_ELSEWHERE = {
    "steps/repository/locked.py": "workflows/test_object_lock.py",
    "steps/parts/selection.py": "steps/parts/test_secrets.py, test_configmaps.py and steps/plans/test_backup_plan.py",
    "steps/databases/system_database.py": "workflows/test_databases.py",
    "steps/phases/databases_backup.py": "workflows/test_databases.py",
    "steps/phases/databases_restore.py": "workflows/test_databases.py",
    "steps/phases/saved_part.py": "steps/phases/test_backup.py",
    "steps/phases/opened_backup.py": "steps/phases/test_restore.py and workflows/test_bound.py",
    "steps/phases/choosing.py": "workflows/test_verify.py and test_drill.py",
    "steps/phases/drill.py": "workflows/test_drill.py",
    "steps/phases/prune.py": "workflows/test_prune.py",
    "steps/phases/fetch.py": "workflows/test_fetch.py",
    "steps/phases/push.py": "workflows/test_push.py",
    "steps/phases/repositories.py": "workflows/test_push.py",
    "steps/repository/pod_clock.py": "workflows/faults/test_repository_others.py",
    "steps/repository/probe.py": "workflows/test_push.py",
    "steps/phases/repository_prune.py": "workflows/test_repository_prune.py",
}
LAYERS = [
    (package, name, depth)
    for package, lines in (("steps", STEPS), ("workflows", WORKFLOWS))
    for depth, line in enumerate(lines)
    for name in line.split()
]
DEPTHS = {(package, name): depth for package, name, depth in LAYERS}
FILES = sorted(path for package in ("steps", "workflows") for path in (ROOT / package).rglob("*.py"))
IN_STEPS = [path for path in FILES if path.is_relative_to(ROOT / "steps") and path.stem != "__init__"]
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in FILES if path.stem != "__init__"}
OF_REHEARSAL = [path for path in FILES if path.is_relative_to(ROOT / "workflows/rehearsal")]
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


def does_anything(path):
    """Whether a module has a function; one that only gives names to things has nothing to test."""
    return any(isinstance(node, ast.FunctionDef) for node in ast.walk(tree_of(path)))


def mirrored(path):
    """The test file of a module, in the folder that mirrors its room."""
    return ROOT / "tests" / path.relative_to(ROOT).with_name(f"test_{path.stem.strip('_')}.py")


def rooms(path):
    """The rooms of steps that a file imports of."""
    return {room for package, room in modules(path) if package == "steps"}


def in_room(*names):
    """The files of these rooms of steps."""
    return [path for path in FILES if room_of(path)[0] == "steps" and room_of(path)[1] in names]


def room_of(path):
    """Package and module that a file belongs to; a package in it is one."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0], parts[1]


def imported_names(path):
    """What a file imports of modules of this project by its own name, dotted."""
    nodes = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom)]
    return {f"{node.module}.{alias.name}" for node in nodes if node.module in MODULES for alias in node.names}


def imported_modules(path):
    return imports(path) & MODULES.keys()


def types():
    """Where each type of the steps is defined: classes, and names of types."""
    found = {}
    for path in IN_STEPS:
        for node in tree_of(path).body:
            named = [node.name] if isinstance(node, ast.ClassDef) else []
            if isinstance(node, ast.Assign):
                named = [target.id for target in node.targets if isinstance(target, ast.Name)]
            for name in named:
                if name[:1].isupper() and not name.isupper():
                    found.setdefault(name, []).append(name_of(path))
    return found


def part_of(path):
    """The folder of the rehearsal that a file lies in, or its name where it lies in none."""
    return path.relative_to(ROOT / "workflows/rehearsal").with_suffix("").parts[0]


def importers_of(package):
    return {name_of(path) for path in FILES if package in {name.split(".")[0] for name in imports(path)}}


def test_every_module_has_its_layer():
    rooms = {room_of(path) for path in FILES if path.parent.parent != ROOT or path.stem != "__init__"}

    assert rooms == set(DEPTHS)


def test_imports_point_down_only():
    upward = [
        (name_of(path), other)
        for path in FILES
        for other in modules(path) - {room_of(path), ("steps", "__version__"), ("workflows", "__version__")}
        if other[0] == room_of(path)[0] and DEPTHS[other] <= DEPTHS[room_of(path)]
    ]

    assert upward == []


def test_the_steps_know_nothing_of_workflows():
    tops = {name.split(".")[0] for path in IN_STEPS for name in imports(path)}

    assert not tops & {"workflows", "hera", "jinja2", "rich", "yaml"}


def test_each_module_of_the_steps_has_its_tests_in_a_file_of_its_name():
    at_once = in_room("errors")  # all of them, by steps/test_errors.py
    lacking = {name_of(path) for path in IN_STEPS if does_anything(path) and not mirrored(path).exists()}

    assert lacking - {name_of(path) for path in at_once} == set(TESTED_ELSEWHERE)


def test_a_docstring_names_what_is_there():
    texts = {each.stem: each.read_text() for each in IN_STEPS if room_of(each)[1] != "errors"}
    del texts["workflow"]  # `workflow.x` is a tag of Argo
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Module)
    nodes = [(path, node) for path in IN_STEPS for node in ast.walk(tree_of(path)) if isinstance(node, kinds)]
    named = {
        (name_of(path), *found)
        for path, node in nodes
        for found in re.findall(r"`([a-z_]+)\.([A-Za-z_]+)`", ast.get_docstring(node) or "")
    }

    assert [
        each for each in named if each[1] in texts and not re.search(rf"(?m)^(def |class )?{each[2]}\b", texts[each[1]])
    ] == []


def test_no_test_module_is_imported():
    borrowed = {
        (name_of(path), name)
        for path in OF_TESTS
        for name in imports(path)
        if name.split(".")[0] == "tests" and name.rpartition(".")[2].startswith("test_")
    }

    assert borrowed == set()


def test_one_door_leads_to_kubernetes():
    assert {Path(name).parent for name in importers_of("kubernetes")} == {Path("steps/kubernetes")}


@pytest.mark.parametrize(
    ("room", "others"),
    [
        ("errors", set()),
        ("process", {"errors"}),
        ("contract", {"process", "errors"}),
        ("kubernetes", {"contract", "process", "errors"}),
        ("files", {"process", "errors"}),
        ("restic", {"process", "errors"}),
    ],
)
def test_a_room_below_the_backup_knows_these_others_alone(room, others):
    assert {other for path in in_room(room) for other in rooms(path)} <= {room, *others}


def test_the_contract_knows_pydantic_alone():
    tops = {name.split(".")[0] for path in in_room("contract") for name in imports(path)}

    assert tops - sys.stdlib_module_names <= {"steps", "pydantic", "pydantic_core"}  # the latter is a part of it


def test_no_module_leads_to_itself():
    graph = {name: imported_modules(path) - {name} for name, path in MODULES.items()}

    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_no_two_modules_of_the_steps_have_one_name():
    names = [path.stem for path in IN_STEPS if room_of(path)[1] != "errors"]

    assert sorted(names) == sorted(set(names))


def test_a_type_that_is_imported_bare_stands_once():
    bare = {name.rpartition(".")[2] for path in FILES for name in imported_names(path)}
    twice = {name: paths for name, paths in types().items() if name in bare and len(paths) > 1}

    assert twice == {}


def test_below_their_command_the_workflows_know_names_of_the_steps_only():
    used = {
        name.removeprefix("steps.")
        for path in FILES
        if path.parts[-2] not in {"rehearsal", "commands", "doctor"} and not path.is_relative_to(ROOT / "steps")
        for name in (*imported_modules(path), *({"steps.errors"} & {"steps." + room for room in rooms(path)}))
        if name.startswith("steps.")
    }

    assert {name for name in used if not name.startswith("contract.")} == {
        "catalogue.durations",
        "errors",
        "kubernetes.claims",
        "kubernetes.kinds",
        "threescale.installation",
    }


def test_the_comparison_of_the_rehearsal_knows_nothing_of_the_project():
    path = ROOT / "workflows/rehearsal/comparison.py"

    assert modules(path) == set()
    assert {name.split(".")[0] for name in imports(path)} <= sys.stdlib_module_names


def test_the_rehearsal_but_its_director_knows_nothing_of_our_workflows():
    users = {name_of(path) for path in OF_REHEARSAL if any(room[1] != "rehearsal" for room in modules(path))}

    assert users == {"workflows/rehearsal/rehearse.py"}


def test_every_folder_of_the_rehearsal_has_its_place():
    assert {part_of(path) for path in OF_REHEARSAL} == {"__init__", *REHEARSAL}


def test_the_folders_of_the_rehearsal_import_those_below_them_only():
    upward = [
        (name_of(path), name)
        for path in OF_REHEARSAL
        for name in imports(path)
        if name.startswith("workflows.rehearsal.")
        and name.split(".")[2] not in REHEARSAL[part_of(path)] | {part_of(path)}
    ]

    assert upward == []


def test_only_the_two_commands_print():
    printing = [
        (name_of(path), node.lineno)
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert [place for place in printing if not place[0].endswith("/__main__.py")] == []


def test_errors_that_a_phase_can_end_with_are_drawn_in_one_place():
    elsewhere = [
        (name_of(path), node.name)
        for path in IN_STEPS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and path not in in_room("errors")
        if any(word in ast.unparse(base) for base in node.bases for word in ("Error", "Exception"))
    ]

    assert elsewhere == []


@pytest.mark.parametrize("command", [["workflows", "--help"], ["workflows", "rehearse", "--help"]], ids=" ".join)
def test_the_help_of_the_people_s_command_imports_no_large_library(command):
    module, *arguments = command
    script = (
        "import runpy, sys\n"
        f"sys.argv = ['threescale-backup', *{arguments!r}]\n"
        "try:\n"
        f"    runpy.run_module({module!r}, run_name='__main__')\n"
        "finally:\n"
        "    print('imported:', *sorted({'hera', 'jinja2', 'kubernetes', 'rich'} & set(sys.modules)))\n"
    )

    done = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout.startswith("Usage: ")
    assert done.stdout.splitlines()[-1] == "imported:"
