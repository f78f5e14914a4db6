"""Runs a command that dies with its parent, as another user if told so. Standard library only.

    python -I -S tether.py PARENT_PID SIGNAL UID:GID|- COMMAND...

A start-up script instead of `preexec_fn`, because the stack starts processes from threads. `process.spawn`
is the way in.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, death_signal: int) -> None:
    """Asks Linux for a signal when the parent dies; other systems promise no such thing."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(128 + death_signal)


def become(owner: str) -> None:
    """Gives up root for `UID:GID`; `-` keeps the user."""
    if owner == "-":
        return
    uid, _, gid = owner.partition(":")
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))


def main() -> None:
    parent, death_signal, owner, *command = sys.argv[1:]
    become(owner)
    # A shell that starts jobs in the background leaves Ctrl-C ignored, and a new program would inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # After the change of user, which clears the death signal.
    if parent != "0":
        die_with_parent(int(parent), int(death_signal))
    os.execvp(command[0], command)  # noqa: S606 - replacing this process is the purpose


if __name__ == "__main__":
    main()
