"""Becomes another program whose life is tied to its parent's, as another user if asked; standard library only, starts in 20 ms.

    python -I -S launch.py --parent PID --death-signal N [--uid U --gid G [--capability C]] -- PROGRAM ARGUMENT...

PostgreSQL refuses to run as root. Root therefore hands it to another user; where that user could not enter the folders on the
way (a clone under a private home), it gets one ambient capability: to read and search regardless of permission bits.
The kernel forgets the parent-death signal when a process changes its user, so it is set after that.
"""

import argparse
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG, _PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
# Keeps capabilities over the change of user, and lets access(2), which PostgreSQL asks about its programs, count them too.
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAPABILITY_VERSION_3 = 0x20080522
_CANNOT_START = 126


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _drop_to(uid: int, gid: int, capability: int | None) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    os.setgroups([])
    if capability is not None:
        _checked(library.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if capability is not None:
        mask = 1 << capability
        sets = (_Capabilities * 2)(_Capabilities(mask, mask, mask), _Capabilities(0, 0, 0))
        _checked(library.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), sets))
        _checked(library.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0))


def _die_with(parent: int, number: int) -> None:
    if sys.platform == "linux":
        _checked(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0))
    if os.getppid() != parent:  # it died before the line above took effect
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Parse, drop, tie, execute."""
    parser = argparse.ArgumentParser(description="internal: start a program tied to its parent")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--death-signal", type=int, default=int(signal.SIGKILL))
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--capability", type=int)
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    try:
        if options.uid is not None:
            _drop_to(options.uid, options.gid, options.capability)
        _die_with(options.parent, options.death_signal)
        os.execvp(options.program[0], options.program)  # noqa: S606 - this is the purpose
    except OSError as error:
        print(f"cannot start {options.program[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
        sys.exit(_CANNOT_START)


if __name__ == "__main__":
    main()
