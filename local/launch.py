"""Becomes another program that ends with its parent: `python launch.py PARENT SIGNAL USER PROGRAM ARGUMENT…`.

SIGNAL is the number that the program gets when the process PARENT is gone, however it went, so that
nothing is left running (Linux only); USER is the account to run as (`-`: the present one).
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    parent, signal_number, user, program, *arguments = sys.argv[1:]
    if user != "-":
        import pwd

        account = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    if sys.platform == "linux":
        # After setuid, which clears it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
        if os.getppid() != int(parent):  # it went while we were getting ready
            sys.exit(1)
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    main()
