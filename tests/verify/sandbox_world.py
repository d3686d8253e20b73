"""What an attack could reach, and whether it did: files, processes, sockets, the grader itself."""

from __future__ import annotations

import json
import os
import resource
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from string import Template


class World:
    """A folder with secrets, a victim process and listening sockets, all of the current user."""

    def __init__(self) -> None:
        self.secret = "SECRET" + secrets.token_hex(16)
        self.token = "EXPTOK" + secrets.token_hex(16)
        self.mark = "attack" + secrets.token_hex(6)
        os.environ["WORLD_SECRET"] = self.secret
        self.folder = Path(tempfile.mkdtemp(prefix="world"))
        self.folder.chmod(0o777)
        (self.folder / "secret.txt").write_text(self.secret)
        (self.folder / "victim.txt").write_text("intact")
        (self.folder / "folder").mkdir()
        (self.folder / "folder" / "inner.txt").write_text("intact")
        self.oracle = json.dumps({"expected": self.token})
        (self.folder / "oracle.jsonl").write_text(self.oracle)
        for path in self.folder.rglob("*.*"):
            path.chmod(0o666)
        self._victim_times = (self.folder / "victim.txt").stat().st_mtime_ns
        self.victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(900)"])
        self._victim_affinity = os.sched_getaffinity(self.victim.pid)
        self.received: list[str] = []
        self._listen()

    def _listen(self) -> None:
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind(f"\0{self.mark}")
        self.abstract.listen()
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(str(self.folder / "unix"))
        (self.folder / "unix").chmod(0o777)
        self.unix.listen()
        for name, server in (("tcp", self.tcp), ("abstract", self.abstract), ("unix", self.unix)):
            threading.Thread(target=self._accept, args=(name, server), daemon=True).start()
        threading.Thread(target=self._datagrams, daemon=True).start()

    def _accept(self, name: str, server: socket.socket) -> None:
        while True:
            server.accept()[0].close()
            self.received.append(name)

    def _datagrams(self) -> None:
        while True:
            self.udp.recv(100)
            self.received.append("udp")

    def fill(self, code: str) -> str:
        """The attack with this world's names and numbers."""
        values = {
            "WORLD": str(self.folder),
            "MARK": self.mark,
            "GRADER": str(os.getpid()),
            "VICTIM": str(self.victim.pid),
            "HOME": str(Path.home()),
            "PACKAGE": str(Path(sys.modules["tracelift_groups"].__file__ or "").parent),
            "TCP": str(self.tcp.getsockname()[1]),
            "UDP": str(self.udp.getsockname()[1]),
            "ABSTRACT": self.mark,
        }
        return Template(code).safe_substitute(values)

    def _files_touched(self) -> list[str]:
        broken = []
        victim = self.folder / "victim.txt"
        if not victim.exists() or victim.read_text() != "intact":
            return ["victim file"]
        if stat.S_IMODE(victim.stat().st_mode) != 0o666:
            broken.append("mode")
        if victim.stat().st_mtime_ns != self._victim_times or os.listxattr(victim):
            broken.append("times")
        if not (self.folder / "folder" / "inner.txt").exists():
            broken.append("folder")
        if (self.folder / "oracle.jsonl").read_text() != self.oracle:
            broken.append("oracle")
        expected = {"secret.txt", "victim.txt", "folder", "oracle.jsonl", "unix"}
        broken += [f"planted {p.name}" for p in self.folder.iterdir() if p.name not in expected]
        places = [Path("/tmp"), Path("/dev/shm"), Path.cwd(), Path("/")]
        site = Path(str(Path.home()), ".local/lib/python3.11/site-packages")
        for place in [*places, site]:
            broken += [f"planted {p}" for p in place.glob(f"{self.mark}*")]
        return broken

    def _processes_touched(self) -> list[str]:
        broken = []
        if self.victim.poll() is not None:
            return ["victim killed"]
        if resource.prlimit(self.victim.pid, resource.RLIMIT_NOFILE)[0] == 7:
            broken.append("victim's limits")
        if os.getpriority(os.PRIO_PROCESS, self.victim.pid) != 0:
            broken.append("victim's priority")
        if os.sched_getaffinity(self.victim.pid) != self._victim_affinity:
            broken.append("victim's processors")
        if os.sched_getscheduler(self.victim.pid) != os.SCHED_OTHER:
            broken.append("victim's scheduler")
        return broken

    def survivors(self, zygotes: set[int]) -> list[str]:
        """Processes below the zygotes, which are idle now."""
        parents: dict[int, int] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                text = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if text[0] != "Z":
                parents[int(path.parent.name)] = int(text[1])
        inner = {pid for pid, parent in parents.items() if parent in zygotes}
        family = zygotes | (inner if len(inner) <= len(zygotes) else set())
        return [
            f"survivor {pid}"
            for pid, parent in parents.items()
            if parent in family and pid not in family
        ]

    def close(self) -> None:
        """Ends the victim and removes the folder."""
        self.victim.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def broken(self, zygotes: set[int]) -> list[str]:
        """Everything that an attack has changed or reached since the start."""
        found = self._files_touched() + self._processes_touched() + self.survivors(zygotes)
        return found + [f"network {name}" for name in self.received]
