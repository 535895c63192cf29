"""Hangs one thread of a process, as a disk that does not answer would; the others go on."""

import ctypes
import os
import pathlib

SEIZE, INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000


class Hung:
    def __init__(self, pid, thread_name):
        threads = pathlib.Path(f"/proc/{pid}/task").iterdir()
        named = [int(t.name) for t in threads if (t / "comm").read_text().strip() == thread_name]
        if not named:
            raise RuntimeError(f"process {pid} has no thread called {thread_name}")
        self.thread = named[0]
        libc = ctypes.CDLL(None, use_errno=True)
        for request in [SEIZE, INTERRUPT]:
            if libc.ptrace(request, self.thread, None, None) != 0:
                raise OSError(ctypes.get_errno(), "ptrace")

    def is_gone(self):
        """Whether the process has been killed. Somebody who traces must ask, or it is never gone."""
        try:
            pid, status = os.waitpid(self.thread, os.WNOHANG | WALL)
        except ChildProcessError:
            return True
        return pid != 0 and (os.WIFEXITED(status) or os.WIFSIGNALED(status))
