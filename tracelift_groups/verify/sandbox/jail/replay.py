"""Function mode with the candidate on another machine: the two ends that run Python there and here.

There, a run gets the program and all calls so far, repeats them, and prints the last answer. What
it prints is data, as in any other run; the tester here rebuilds it and holds the asserts.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import types

from . import candidate, child, tester


def main() -> int:
    """Reads `{"setup", "records", "code", "requests"}` from stdin, prints the last reply."""
    job = json.load(sys.stdin)
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the program's own words are not an answer
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    candidate.run_setup(job["setup"], module)
    code = compile(job["code"], child.PROGRAM_NAME, "exec", dont_inherit=True)
    broken: BaseException | None = None
    try:
        exec(code, module.__dict__)
    except BaseException as error:
        broken = error
    server = candidate.Server(module, job["records"])
    reply = {}
    for request in job["requests"]:
        reply = server.reply(request, broken)
    data = memoryview(json.dumps(reply).encode())
    while data:
        data = data[os.write(answers, data) :]
    return 0


def local_tester(calls: int, verdict: int, memory_bytes: int) -> None:
    """Runs the tests from stdin against the candidate behind the socket `calls`."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    source = sys.stdin.buffer.read()
    os.dup2(calls, child.CALLS_FD)
    os.dup2(verdict, child.VERDICT_FD)
    os.close(calls)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.exit(tester.run_tests(source, module))
