"""A booted Debian for tests: systemd as PID 1 in a container of systemd-nspawn, made from Debian's own packages.

The root file system is made once by debootstrap, with the packages that ours depend on downloaded, so that a machine needs
no network and has none. A machine writes to an overlay in memory. Needs root and Debian's debootstrap and
systemd-container, but no systemd on the host: a container has none.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import time

SUITE = "bookworm"
# What our packages depend on and recommend; apt in the machine finds them as if it had a network.
CACHED = ["redis-server", "postgresql"]
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "TERM": "dumb",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
# On two busy cores it takes three seconds.
BOOT_SECONDS = 120


def impossible():
    """Why no machine can be made here, or None."""
    for tool, package in [("systemd-nspawn", "systemd-container"), ("nsenter", "util-linux")]:
        if not shutil.which(tool):
            return f"{tool} is missing: apt-get install {package}"
    if not booted_host() and not cgroup_mounts():
        return "there is no cgroup2 file system for the machine's systemd"
    return None


def booted_host():
    return os.path.isdir("/run/systemd/system")


def cgroup_mounts():
    """Where the machine's systemd finds its cgroups: cgroup2, and v1's named hierarchy if there is one."""
    mounts = []
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options):
            if os.access(place, os.W_OK):
                mounts.append(pathlib.Path(place))
    return mounts


def root_file_system(place):
    """Makes the root file system unless it is there."""
    done = place / ".complete"
    if done.exists():
        return
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    include = "systemd,systemd-sysv,dbus,ca-certificates"
    subprocess.run(["debootstrap", "--variant=minbase", f"--include={include}", SUITE, place], check=True)
    for words in [["update"], ["install", "-y", "--download-only", *CACHED]]:
        subprocess.run(["chroot", place, "apt-get", "-q", *words], check=True, env=ENVIRONMENT)
    done.touch()


class Machine:
    """A machine that is up. Used as a context, it is gone afterwards."""

    def __init__(self, root_fs, place):
        self.place = place
        self.root = place / "root"
        self.cgroups = []
        for name in ["root", "memory"]:
            (place / name).mkdir(parents=True)
        mount("tmpfs", "tmpfs", place / "memory")
        for name in ["upper", "work"]:
            (place / "memory" / name).mkdir()
        upper, work = place / "memory" / "upper", place / "memory" / "work"
        mount("overlay", "overlay", self.root, f"lowerdir={root_fs},upperdir={upper},workdir={work}")

    def __enter__(self):
        return self

    def boot(self):
        name = f"smartpick-{os.getpid()}"
        words = ["systemd-nspawn", "--quiet", "--boot", "--directory", self.root, "--machine", name]
        words += ["--private-network", "--register=no", "--console=pipe"]
        environment = dict(os.environ)
        if not booted_host():
            # Nobody gives the machine a cgroup, so it is made here.
            words.append("--keep-unit")
            environment["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"] = "1"
            os.makedirs("/run/systemd/nspawn/propagate", exist_ok=True)
            self.cgroups = [mount / name for mount in cgroup_mounts()]
            for group in self.cgroups:
                group.mkdir(exist_ok=True)
        enter = "".join(f'echo 0 >"{group}/cgroup.procs"; ' for group in self.cgroups)
        script = f'{enter}exec "$@"'
        log = open(self.place / "console.log", "ab")
        self.nspawn = subprocess.Popen(
            ["sh", "-c", script, "sh", *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            start_new_session=True,
        )
        wait("the machine to be up", BOOT_SECONDS, self.is_up)

    def init(self):
        """The machine's PID 1, as the host counts."""
        children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
        for pid in children:
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                return pid
        raise RuntimeError("the machine has no systemd yet")

    def is_up(self):
        if self.nspawn.poll() is not None:
            raise RuntimeError(f"the machine has ended; see {self.place / 'console.log'}")
        try:
            state = self.run("systemctl", "is-system-running", check=False)
        except (RuntimeError, OSError):
            return False
        return state in ["running", "degraded"]

    def run(self, *words, check=True, text_in=None):
        """Runs a program in the machine; what it says, stripped. What it complains of is part of it if it may fail."""
        enter = ["nsenter", "-t", self.init(), "-m", "-u", "-i", "-n", "-p", "-C"]
        ran = subprocess.run(
            [*enter, "env", "-i", *(f"{k}={v}" for k, v in ENVIRONMENT.items()), *words],
            input=text_in, stdin=None if text_in is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE if check else subprocess.STDOUT, text=True, timeout=600,
        )
        if check and ran.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, words))}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}")
        return ran.stdout.strip()

    def in_its_network(self, *words):
        """The words that start a program of the host in the machine's network."""
        return ["nsenter", "-t", self.init(), "-n", *words]

    def path(self, inside):
        """A path of the machine, as the host sees it. Not below /run and /tmp, which are the machine's own mounts."""
        return self.root / inside.lstrip("/")

    def __exit__(self, *_):
        if getattr(self, "nspawn", None):
            # SIGRTMIN+4: an orderly power off.
            try:
                os.kill(int(self.init()), signal.SIGRTMIN + 4)
                self.nspawn.wait(60)
            except (RuntimeError, OSError, subprocess.TimeoutExpired):
                self.nspawn.kill()
                self.nspawn.wait()
        for group in self.cgroups:
            for folder, _, _ in os.walk(group, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass
        for name in ["root", "memory"]:
            subprocess.run(["umount", "--lazy", self.place / name], check=False)


def mount(kind, what, place, options="defaults"):
    subprocess.run(["mount", "-t", kind, "-o", options, what, place], check=True)


def wait(what, seconds, condition):
    """Waits until the condition gives something, and gives it."""
    deadline = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.2)
