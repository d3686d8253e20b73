"""System call numbers, and which of them a sandboxed program may make.

`ALLOWED` is what an ordinary Python program needs to compute, read its input, write its output,
sleep, and start threads. `ZYGOTE_ONLY` is what the process that starts it needs besides; a short
second filter takes that away in each child. Everything else is refused with EPERM, in particular
whatever Landlock cannot see: chmod and its kind, utime, sockets other than a stream socketpair,
System V objects, keyrings, memfd, io_uring, ptrace and the limits or signals of other processes.
"""

from __future__ import annotations

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ALLOWED_EVERYWHERE = _names("""
read write close fstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn
ioctl pread64 pwrite64 readv writev sched_yield mremap madvise dup nanosleep getitimer setitimer
getpid sendto recvfrom shutdown getsockname getpeername socketpair getsockopt clone exit wait4 kill
uname fcntl getcwd chdir umask gettimeofday getrlimit getrusage sysinfo times getuid getgid geteuid
getegid getppid getpgid getgroups getresuid getresgid rt_sigpending rt_sigtimedwait rt_sigsuspend
sigaltstack prctl gettid futex sched_getaffinity getdents64 set_tid_address clock_gettime
clock_getres clock_nanosleep exit_group epoll_ctl tgkill openat newfstatat readlinkat faccessat
pselect6 ppoll set_robust_list epoll_pwait eventfd2 epoll_create1 dup3 pipe2 prlimit64 getrandom
statx rseq clone3 close_range faccessat2 epoll_pwait2
""")

# Calls that the generic table, and so aarch64, never had.
_ALLOWED_X86 = _names("""
open stat lstat poll access pipe select dup2 pause alarm readlink getpgrp time epoll_create
epoll_wait
""")

ZYGOTE_ONLY = _names("""
sendmsg recvmsg pidfd_open landlock_restrict_self seccomp setsid setresuid setresgid setgroups
capset setrlimit
""")

# fmt: off
_X86_64 = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7,
    "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13,
    "rt_sigprocmask": 14, "rt_sigreturn": 15, "ioctl": 16, "pread64": 17, "pwrite64": 18,
    "readv": 19, "writev": 20, "access": 21, "pipe": 22, "select": 23, "sched_yield": 24,
    "mremap": 25, "madvise": 28, "dup": 32, "dup2": 33, "pause": 34, "nanosleep": 35,
    "getitimer": 36, "alarm": 37, "setitimer": 38, "getpid": 39, "sendto": 44, "recvfrom": 45,
    "sendmsg": 46, "recvmsg": 47, "shutdown": 48, "getsockname": 51, "getpeername": 52,
    "socketpair": 53, "getsockopt": 55, "clone": 56, "exit": 60, "wait4": 61, "kill": 62,
    "uname": 63, "fcntl": 72, "getcwd": 79, "chdir": 80, "readlink": 89, "umask": 95,
    "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "times": 100,
    "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108, "getppid": 110, "getpgrp": 111,
    "setsid": 112, "getgroups": 115, "setgroups": 116, "setresuid": 117, "getresuid": 118,
    "setresgid": 119, "getresgid": 120, "getpgid": 121, "capset": 126, "rt_sigpending": 127,
    "rt_sigtimedwait": 128, "rt_sigsuspend": 130, "sigaltstack": 131, "pivot_root": 155,
    "prctl": 157, "setrlimit": 160, "gettid": 186, "time": 201, "futex": 202,
    "sched_getaffinity": 204, "epoll_create": 213, "getdents64": 217, "set_tid_address": 218,
    "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231,
    "epoll_wait": 232, "epoll_ctl": 233, "tgkill": 234, "openat": 257, "newfstatat": 262,
    "readlinkat": 267, "faccessat": 269, "pselect6": 270, "ppoll": 271, "set_robust_list": 273,
    "epoll_pwait": 281, "eventfd2": 290, "epoll_create1": 291, "dup3": 292, "pipe2": 293,
    "prlimit64": 302, "seccomp": 317, "getrandom": 318, "statx": 332, "rseq": 334,
    "pidfd_open": 434, "clone3": 435, "close_range": 436, "faccessat2": 439, "epoll_pwait2": 441,
    "mount_setattr": 442, "landlock_create_ruleset": 444, "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}
_AARCH64 = {
    "getcwd": 17, "eventfd2": 19, "epoll_create1": 20, "epoll_ctl": 21, "epoll_pwait": 22,
    "dup": 23, "dup3": 24, "fcntl": 25, "ioctl": 29, "pivot_root": 41, "faccessat": 48,
    "chdir": 49, "openat": 56, "close": 57, "pipe2": 59, "getdents64": 61, "lseek": 62,
    "read": 63, "write": 64, "readv": 65, "writev": 66, "pread64": 67, "pwrite64": 68,
    "pselect6": 72, "ppoll": 73, "readlinkat": 78, "newfstatat": 79, "fstat": 80, "capset": 91,
    "exit": 93, "exit_group": 94, "set_tid_address": 96, "futex": 98, "set_robust_list": 99,
    "nanosleep": 101, "getitimer": 102, "setitimer": 103, "clock_gettime": 113,
    "clock_getres": 114, "clock_nanosleep": 115, "sched_getaffinity": 123, "sched_yield": 124,
    "kill": 129, "tgkill": 131, "sigaltstack": 132, "rt_sigsuspend": 133, "rt_sigaction": 134,
    "rt_sigprocmask": 135, "rt_sigpending": 136, "rt_sigtimedwait": 137, "rt_sigreturn": 139,
    "setresuid": 147, "getresuid": 148, "setresgid": 149, "getresgid": 150, "times": 153,
    "getpgid": 155, "setsid": 157, "getgroups": 158, "setgroups": 159, "uname": 160,
    "getrlimit": 163, "setrlimit": 164, "getrusage": 165, "umask": 166, "prctl": 167,
    "gettimeofday": 169, "getpid": 172, "getppid": 173, "getuid": 174, "geteuid": 175,
    "getgid": 176, "getegid": 177, "gettid": 178, "sysinfo": 179, "socketpair": 199,
    "getsockname": 204, "getpeername": 205, "sendto": 206, "recvfrom": 207, "getsockopt": 209,
    "shutdown": 210, "sendmsg": 211, "recvmsg": 212, "brk": 214, "munmap": 215, "mremap": 216,
    "clone": 220, "mmap": 222, "mprotect": 226, "madvise": 233, "wait4": 260, "prlimit64": 261,
    "seccomp": 277, "getrandom": 278, "statx": 291, "rseq": 293, "pidfd_open": 434,
    "clone3": 435, "close_range": 436, "faccessat2": 439, "epoll_pwait2": 441,
    "mount_setattr": 442, "landlock_create_ruleset": 444, "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}
# fmt: on

NUMBERS = {"x86_64": _X86_64, "aarch64": _AARCH64}
HIGHEST_KNOWN = 446
"""Newer calls answer ENOSYS instead of EPERM, so that a newer libc falls back to older ones."""


def allowed(machine: str) -> tuple[str, ...]:
    """The calls a sandboxed program may make on `machine`, in the filter's order."""
    return (*_ALLOWED_EVERYWHERE, *(_ALLOWED_X86 if machine == "x86_64" else ()))


def numbers(machine: str) -> dict[str, int]:
    """Name to number for `machine` ("x86_64" or "aarch64"); raises `KeyError` for others."""
    return NUMBERS[machine]
