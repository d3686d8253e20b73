"""Which files of this machine a sandboxed interpreter needs, and no others."""

from __future__ import annotations

import functools
import importlib.util
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

from tracelift_groups.errors import UserError

DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
_RANDOM = ("/dev/urandom", "/dev/random")
_LIBRARY_FOLDERS = (
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
    "/usr/local/lib64",
)
_DATA = ("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo", "/usr/lib/locale/C.utf8")
_INSTALLED_PACKAGES = {"site-packages", "dist-packages"}


class Layout(NamedTuple):
    """Paths for a zygote's configuration.

    Attributes:
        readable: Files, and folders with all they hold.
        listable: Folders whose names may be listed, nothing more.
        preload_path: Folders searched for preloaded packages while the zygote starts.
    """

    readable: list[str]
    listable: list[str]
    preload_path: list[str]


def _stdlib_entries(folder: Path) -> list[Path]:
    """The standard library without the packages installed below it, which may hold anything."""
    return [entry for entry in folder.iterdir() if entry.name not in _INSTALLED_PACKAGES]


def _shared_objects(folder: Path) -> list[Path]:
    return [entry for entry in folder.glob("*.so*") if entry.exists()]


def _system_libraries() -> list[Path]:
    """Shared libraries, by folder where the folder is for libraries only, else one by one."""
    multiarch = sysconfig.get_config_var("MULTIARCH")
    found = []
    for name in _LIBRARY_FOLDERS:
        folder = Path(name)
        if not folder.is_dir():
            continue
        if multiarch and (folder / multiarch).is_dir():
            found.append(folder / multiarch)
        found += _shared_objects(folder)
    return found


def _interpreter() -> list[Path]:
    base = Path(sys.base_prefix)
    found = [Path(sys.executable), Path(sys.executable).resolve()]
    found += list((base / "lib").glob("libpython*.so*"))
    found += [p for p in (base / "lib").glob("*.so*") if p.is_file()]  # conda keeps its own
    return found


def _package(name: str) -> tuple[list[Path], Path]:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"package {name} is not installed",
            where="sandbox preload",
            way_out=f"pip install {name}, or leave it out",
        )
    folder = Path(next(iter(spec.submodule_search_locations)))
    libraries = folder.with_name(f"{folder.name}.libs")
    return [folder, *([libraries] if libraries.is_dir() else [])], folder.parent


@functools.cache
def find(packages: tuple[str, ...]) -> Layout:
    """The layout for this interpreter with `packages` preloaded.

    Raises:
        UserError: A package is not installed.
    """
    stdlib = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    stdlib = {folder.resolve() for folder in stdlib if folder.is_dir()}
    readable = [entry for folder in sorted(stdlib) for entry in _stdlib_entries(folder)]
    readable += _interpreter() + _system_libraries()
    readable += [Path(p) for p in (*_DATA, *_RANDOM) if Path(p).exists()]
    preload_path = []
    for name in packages:
        folders, parent = _package(name)
        readable += folders
        preload_path.append(str(parent))
    ordered = dict.fromkeys(str(path) for path in readable)
    return Layout(list(ordered), sorted(map(str, stdlib)), list(dict.fromkeys(preload_path)))
