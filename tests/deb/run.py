"""The packages in a booted Debian: install, configure, send, watchdog, upgrade in mid-backlog, downgrade, remove, purge.

    run.py DIRECTORY_OF_DEBS

Every event that was acknowledged to the camera must be in Postgres exactly once at the end, whatever was done meanwhile.
Where no machine can be made it says so, and installs into a chroot.
"""

import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile

from hang import Hung
from machine import ENVIRONMENT, Machine, impossible, root_file_system, wait

HERE = pathlib.Path(__file__).resolve().parent
ROOT_FS = HERE.parent.parent / "target" / "deb" / "rootfs"
# How boxes and people reach headquarters.
NAME = "smartpick.example.com"
WORKER = "5b8d0f5c-8f6e-4c7b-9a55-1d2f3a4b5c6d"
# A watchdog that does not take two minutes; heartbeats come every ten seconds.
WATCHDOG_SECONDS = 20
# More than the stream takes, so that some of it is in Redis and some in SQLite.
BACKLOG = 15_000

EDGE, CENTRAL, REDIS = "smartpick-edge", "smartpick-central", "smartpick-edge-redis"


def say(words):
    print(f"  {words}", flush=True)


def check(what, right, detail=""):
    if not right:
        raise AssertionError(f"{what}\n{detail}")
    say(what)


def older(deb, into):
    """The same package under a lower version: what was installed before."""
    tree = into / f"{deb.stem}-tree"
    subprocess.run(["dpkg-deb", "--raw-extract", deb, tree], check=True)
    control = tree / "DEBIAN" / "control"
    version = re.search(r"^Version: (.*)$", control.read_text(), re.M)[1]
    control.write_text(control.read_text().replace(f"Version: {version}", "Version: 0.0.9-1"))
    # Its reference of the configuration was another.
    for reference in (tree / "etc" / "smartpick").glob("*.toml"):
        reference.write_text(f"# An older version's.\n{reference.read_text()}")
    path = into / f"{deb.name.split('_')[0]}_0.0.9-1.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, path], check=True,
                   stdout=subprocess.DEVNULL)
    return path


class Site:
    """One machine that is both the box in a warehouse and headquarters."""

    def __init__(self, machine, debs, scratch):
        self.machine = machine
        self.new = debs
        self.old = {name: older(deb, scratch) for name, deb in debs.items()}
        self.acked_file = scratch / "acked"
        self.acked_file.touch()
        self.camera_token = secrets.token_hex(16)

    # What a person at the machine does.

    def install(self, deb, *options):
        inside = f"/root/{deb.name}"
        shutil.copy(deb, self.machine.path(inside))
        return self.machine.run("apt-get", "install", "-y", "-q", *options, inside)

    def systemctl(self, *words, check=True):
        return self.machine.run("systemctl", *words, check=check)

    def show(self, unit, name):
        return self.systemctl("show", "--value", "-p", name, unit)

    def central(self, *words):
        return self.machine.run("runuser", "-u", CENTRAL, "--", CENTRAL, *words)

    def sql(self, statement):
        return self.machine.run("runuser", "-u", "postgres", "--", "psql", "-tAqd", "smartpick", "-c", statement)

    def identity(self):
        return json.loads(self.machine.path(f"/var/lib/{EDGE}/identity.json").read_text())

    def journal(self, unit):
        lines = self.machine.run("journalctl", "-u", unit, "-o", "json", "--no-pager").splitlines()
        return [json.loads(line) for line in lines]

    def said(self, unit):
        return "\n".join(str(entry.get("MESSAGE")) for entry in self.journal(unit))

    # What cameras do.

    def sender(self, count, *options):
        words = ["python3", HERE / "sender.py", "--count", str(count), "--acked", self.acked_file]
        words += ["--worker", WORKER, "--warehouse", self.warehouse, "--token", self.camera_token, *options]
        return subprocess.Popen(self.machine.in_its_network(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)

    def send(self, count, *options):
        self.finish(self.sender(count, *options))

    def finish(self, sender):
        said, _ = sender.communicate(timeout=300)
        check(f"cameras: {said.strip()}", sender.returncode == 0)

    # What must be true.

    def status(self, unit, pattern, seconds=90):
        text = wait(f"{unit} to say {pattern}", seconds,
                    lambda: (found := self.show(unit, "StatusText")) and re.search(pattern, found) and found)
        say(f"systemctl status {unit}: {text}")
        return text

    def active(self, unit, seconds=60):
        wait(f"{unit} to be active", seconds, lambda: self.show(unit, "ActiveState") == "active")

    def complete(self):
        """Every acknowledged event is a row, once, and the ledger misses none."""
        acked = self.acked_file.read_text().split()
        rows = lambda: int(self.sql("SELECT count(*) FROM ergonomic_snapshots"))
        wait(f"{len(acked)} rows", 120, lambda: rows() >= len(acked))
        stored = self.sql("SELECT event_id FROM ergonomic_snapshots").split()
        check(f"ledger: {len(acked)} events acknowledged, {len(stored)} rows, the same ids, each once",
              len(set(acked)) == len(acked) and sorted(stored) == sorted(acked),
              f"missing {len(set(acked) - set(stored))}, too many {len(stored) - len(set(acked))}")


def installed(site):
    """Both packages out of the box."""
    print("Install")
    for name in [CENTRAL, EDGE]:
        site.install(site.old[name])
    site.active(EDGE)
    site.active(REDIS)
    check("the edge runs as installed, with its own Redis", True)
    site.status(EDGE, r"^degraded: no central is configured")
    socket = f"/run/{REDIS}/redis.sock"
    settings = site.machine.run("redis-cli", "-s", socket, "config", "get", "append*", check=False)
    check("its Redis fsyncs always", "appendfsync\nalways" in settings and "appendonly\nyes" in settings, settings)
    system = site.machine.run("redis-cli", "-p", "6379", "config", "get", "appendonly")
    check("the system's Redis is as Debian set it up",
          system.endswith("no") and site.machine.run("dpkg", "--verify", "redis-server") == "", system)
    check("central waits for the administrator", site.show(CENTRAL, "ActiveState") == "inactive")
    check("and will start with the machine", site.systemctl("is-enabled", CENTRAL) == "enabled")
    ports = site.machine.run("runuser", "-u", "nobody", "--", "cat", "/etc/smartpick/edge.toml", check=False)
    check("not everybody reads the configuration", "Permission denied" in ports, ports)


def configured(site):
    """As INSTALL.md says."""
    print("Configure")
    site.systemctl("start", "--no-block", CENTRAL)
    site.status(CENTRAL, r"^waiting for Postgres")
    site.machine.run("runuser", "-u", "postgres", "--", "createuser", CENTRAL)
    site.machine.run("runuser", "-u", "postgres", "--", "createdb", "-O", CENTRAL, "smartpick")
    site.active(CENTRAL)
    site.status(CENTRAL, r"^healthy: no sites yet")
    with site.machine.path("/etc/hosts").open("a") as hosts:
        hosts.write(f"127.0.0.1 localhost {NAME}\n")
    site.machine.path("/etc/smartpick/central.d/site.toml").write_text(
        f'listen = "0.0.0.0:8090"\n[tls]\nmode = "own"\nnames = ["{NAME}"]\n'
    )
    site.systemctl("restart", CENTRAL)
    added = json.loads(site.central("sites", "add", "Rotterdam 1", "--json"))
    site.warehouse = added["warehouse_id"]
    said = site.machine.run(EDGE, "enroll", added["token"])
    site.edge = site.identity()["edge_id"]
    check(f"the box has joined as edge {site.edge}", site.edge in said and site.warehouse in said, said)
    credentials = site.machine.path("/etc/credstore")
    credentials.mkdir(mode=0o700, exist_ok=True)
    (credentials / f"{EDGE}.camera_token").write_text(site.camera_token + "\n")
    site.systemctl("restart", EDGE)
    site.status(EDGE, r"^healthy: .*nothing waiting")
    shown = site.machine.run(EDGE, "check-config")
    check("check-config knows of it", f"joined as edge {site.edge}" in shown, shown)
    ask = "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8080); c.request('POST', '/ingestion/ergonomics', '[]'); print(c.getresponse().status)"
    status = subprocess.run(site.machine.in_its_network("python3", "-c", ask), check=True, capture_output=True, text=True).stdout
    check("a camera without the token, which is a credential of systemd, is turned away", status.strip() == "401", status)
    site.status(CENTRAL, r"^healthy: 1 of 1 sites healthy")


def bad_configuration(site):
    print("A configuration that cannot be used")
    before = site.show(EDGE, "MainPID")
    bad = site.machine.path("/etc/smartpick/edge.d/zz.toml")
    bad.write_text("lisen = 5\n")
    reload = site.systemctl("reload", EDGE, check=False)
    check("reloading it fails, and the edge goes on",
          "failed" in reload and site.show(EDGE, "MainPID") == before and site.show(EDGE, "ActiveState") == "active", reload)
    site.systemctl("restart", EDGE, check=False)
    wait("the edge to give up", 30, lambda: site.show(EDGE, "ActiveState") == "failed")
    check("it is not started again and again",
          site.show(EDGE, "ExecMainStatus") == "78" and site.show(EDGE, "NRestarts") == "0",
          (site.show(EDGE, "ExecMainStatus"), site.show(EDGE, "NRestarts")))
    check("and the journal says where and what", "did you mean `listen`" in site.said(EDGE), site.said(EDGE)[-2000:])
    bad.unlink()
    site.systemctl("start", EDGE)
    site.status(EDGE, r"^healthy")


def events(site):
    print("Events")
    site.send(2_000)
    site.complete()
    site.status(EDGE, r"^healthy: .* events/s in, nothing waiting")
    text = site.systemctl("status", EDGE)
    check("systemctl status has the sentence", re.search(r'Status: "healthy: .* events/s in', text), text)


def redis_away(site):
    print("Without its Redis")
    site.systemctl("stop", REDIS)
    site.send(500)
    site.status(EDGE, r"^degraded: spilling: Redis has been down")
    site.systemctl("start", REDIS)
    site.status(EDGE, r"^healthy")
    site.complete()


def watchdog(site):
    print("A stage that hangs")
    dropin = site.machine.path(f"/etc/systemd/system/{EDGE}.service.d")
    dropin.mkdir()
    (dropin / "test.conf").write_text(f"[Service]\nWatchdogSec={WATCHDOG_SECONDS}\n")
    site.systemctl("daemon-reload")
    site.systemctl("restart", EDGE)
    site.status(EDGE, r"^healthy")
    site.send(500)
    pid = on_the_host(site.show(EDGE, "MainPID"), EDGE)
    hung = Hung(pid, "spill")
    wait("the watchdog to end the edge", 4 * WATCHDOG_SECONDS, hung.is_gone)
    wait("systemd to start it again", 60, lambda: site.show(EDGE, "NRestarts") == "1")
    site.active(EDGE)
    said = site.said(EDGE)
    check("the edge said which stage it was", re.search(r"Stage \w+ has not turned for \d+ s", said), said[-3000:])
    check("and systemd why it was killed", "Watchdog timeout" in said, said[-3000:])
    shutil.rmtree(dropin)
    site.systemctl("daemon-reload")
    site.systemctl("restart", EDGE)
    site.status(EDGE, r"^healthy")
    site.complete()


def on_the_host(pid_inside, name):
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
        except OSError:
            continue
        inside = re.search(r"^NSpid:.*\s(\d+)$", status, re.M)
        if inside and inside[1] == pid_inside and status.startswith(f"Name:\t{name}\n"):
            return folder.name
    raise RuntimeError(f"{name} is not to be found on the host")


def upgraded(site):
    print("Upgrade in mid-backlog")
    site.systemctl("stop", CENTRAL)
    site.send(BACKLOG, "--batch", "500")
    # What was sent before the last kill may wait once more, and an alert about headquarters waits too.
    said = site.status(EDGE, r"^degraded: .* [1-9]\d,\d{3} waiting, room for")
    check("all of it waits", int(re.search(r"([\d,]+) waiting", said)[1].replace(",", "")) >= BACKLOG)
    live = site.sender(4_000, "--batch", "20", "--pause", "0.05")
    site.install(site.new[EDGE])
    check("the new edge is there", site.machine.run("dpkg-query", "-Wf", "${Version}", EDGE) != "0.0.9-1")
    shipped = site.machine.path("/etc/smartpick/edge.toml")
    check("and its reference of the configuration, with no question asked",
          "An older version's" not in shipped.read_text() and shipped.stat().st_mode & 0o777 == 0o640)
    rows = int(site.sql("SELECT count(*) FROM ergonomic_snapshots"))
    waiting = len(site.acked_file.read_text().split()) - rows
    check(f"{waiting:,} events waited through it", waiting >= BACKLOG)
    site.systemctl("start", CENTRAL)
    site.install(site.new[CENTRAL])
    site.active(CENTRAL)
    site.finish(live)
    site.status(EDGE, r"^healthy: .*nothing waiting", 180)
    site.complete()
    token = json.loads(site.central("tokens", "add", "test", "--scope", "read", "--json"))["token"]
    ask = "import ssl, sys, urllib.request as u; address, token, ca = sys.argv[1:]; " \
        "r = u.Request(address, headers={'Authorization': 'Bearer ' + token}); " \
        "print(u.urlopen(r, context=ssl.create_default_context(cafile=ca)).read().decode())"
    words = ["python3", "-c", ask, "https://localhost:8090/api/v1/ledger", token,
             site.machine.path(f"/var/lib/{CENTRAL}/ca/ca.crt")]
    # Heads come with heartbeats.
    def settled():
        ledger = json.loads(subprocess.run(site.machine.in_its_network(*words), check=True, capture_output=True).stdout)
        return ledger if ledger["totals"]["missing"] == 0 and ledger["totals"]["buffered"] == 0 else None
    ledger = wait("a ledger without gaps", 60, settled)
    check(f"headquarters' ledger: {json.dumps(ledger['totals'])}", True)


def downgraded(site):
    print("Downgrade")
    site.install(site.old[EDGE], "--allow-downgrades")
    site.status(EDGE, r"^healthy")
    check("to a version with the same tables it works", True)
    site.install(site.new[EDGE])
    site.status(EDGE, r"^healthy")

    site.systemctl("stop", EDGE)
    spill = site.machine.path("/var/lib/smartpick-edge/spill.db")
    database = sqlite3.connect(spill)
    version = database.execute("PRAGMA user_version").fetchone()[0]
    # With the checksum of it unsaid, as by a newer version that was stopped there.
    checksum = database.execute("PRAGMA application_id").fetchone()[0]
    database.executescript("PRAGMA user_version = 99; PRAGMA application_id = 0")
    database.close()
    before = hashlib.sha256(spill.read_bytes()).hexdigest()
    site.systemctl("start", EDGE, check=False)
    wait("the edge to refuse it", 30, lambda: "was written by a newer smartpick-edge" in site.said(EDGE))
    site.systemctl("stop", EDGE)
    check("a spill of a newer version is refused and kept", hashlib.sha256(spill.read_bytes()).hexdigest() == before)
    database = sqlite3.connect(spill)
    database.executescript(f"PRAGMA user_version = {version}; PRAGMA application_id = {checksum}")
    database.close()
    site.systemctl("start", EDGE)
    site.status(EDGE, r"^healthy")

    site.systemctl("stop", CENTRAL)
    site.sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) "
             "VALUES (9999, 'later', true, '', 0)")
    site.systemctl("start", "--no-block", CENTRAL)
    wait("central to refuse it", 30, lambda: "by a newer smartpick-central" in site.said(CENTRAL))
    site.systemctl("stop", CENTRAL)
    check("a database of a newer version is refused", True)
    site.sql("DELETE FROM _sqlx_migrations WHERE version = 9999")
    site.systemctl("start", CENTRAL)
    site.status(EDGE, r"^healthy")
    site.complete()


def journal(site):
    print("Journal")
    for unit in [EDGE, CENTRAL]:
        entries = [entry for entry in site.journal(unit) if entry.get("SYSLOG_IDENTIFIER") == unit and "TARGET" in entry]
        check(f"{unit}: {len(entries)} entries with fields of their own", len(entries) > 5)
        priorities = {entry["PRIORITY"] for entry in entries}
        check(f"{unit}: priorities are err, warning and info: {sorted(priorities)}",
              priorities <= {"3", "4", "6"} and "6" in priorities)
        nowhere = [entry for entry in entries if "CODE_FILE" not in entry or "CODE_LINE" not in entry]
        check(f"{unit}: each says where in the code", not nowhere, nowhere[:3])
        check(f"{unit}: nobody's id is in it", WORKER not in json.dumps(site.journal(unit)))
    check("a field of ours can be asked for", site.machine.run("journalctl", "-u", EDGE, "-o", "cat", "DATA_DIR=/var/lib/smartpick-edge"))


def removed(site, booted=True):
    print("Remove and purge")
    machine = site.machine if booted else site
    state = machine.path("/var/lib/smartpick-edge")
    machine.run("apt-get", "remove", "-y", "-q", EDGE, CENTRAL)
    if booted:
        check("nothing runs any more", site.show(EDGE, "ActiveState") == site.show(REDIS, "ActiveState") == "inactive")
    check("what the edge keeps is still there, and the configuration",
          state.is_dir() and machine.path("/etc/smartpick/edge.toml").exists())
    if booted:
        site.install(site.new[EDGE])
        site.status(EDGE, r"^degraded: central")
        check("installed again it goes on where it was", site.identity()["edge_id"] == site.edge)
    machine.run("apt-get", "purge", "-y", "-q", EDGE, CENTRAL)
    left = [path for path in ["/var/lib/smartpick-edge", "/var/lib/smartpick-edge-redis", "/var/lib/smartpick-central",
                              "/etc/smartpick", "/usr/share/smartpick-central", "/usr/share/doc/smartpick-edge"]
            if machine.path(path).exists()]
    check("a purge leaves nothing", not left, left)
    if booted:
        check("and nothing failed", site.systemctl("--failed", "--no-legend") == "", site.systemctl("--failed"))


# Each goes on with what the one before it left.
STEPS = [installed, configured, bad_configuration, events, redis_away, watchdog, upgraded, downgraded, journal, removed]


class Chroot:
    """Where no machine can be made: a root file system that nothing runs in."""

    def __init__(self, root):
        self.root = root
        policy = self.path("/usr/sbin/policy-rc.d")
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)

    def path(self, inside):
        return self.root / inside.lstrip("/")

    def run(self, *words):
        return subprocess.run(["chroot", self.root, *words], check=True, env=ENVIRONMENT, text=True,
                              stdout=subprocess.PIPE).stdout.strip()


def in_a_chroot(debs, scratch):
    root = scratch / "root"
    subprocess.run(["cp", "-a", ROOT_FS, root], check=True)
    chroot = Chroot(root)
    print("Install")
    for name, deb in debs.items():
        shutil.copy(deb, chroot.path(f"/root/{deb.name}"))
        chroot.run("apt-get", "install", "-y", "-q", "--no-install-recommends", f"/root/{deb.name}")
        check(f"{name} is installed: {chroot.run(name, '--version')}", True)
        owner = chroot.run("stat", "-c", "%U %a", f"/var/lib/{name}")
        check(f"its state is its own: {owner}", owner == f"{name} 700")
        chroot.run("runuser", "-u", name, "--", name, "check-config")
        check(f"{name}'s configuration can be used", True)
    removed(chroot, booted=False)


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    debs = {}
    for name in [EDGE, CENTRAL]:
        found = sorted(folder.glob(f"{name}_*.deb"))
        if len(found) != 1:
            sys.exit(f"{folder} has {len(found)} packages of {name}; `make deb` makes one")
        debs[name] = found[0]
    if os.geteuid() != 0:
        sys.exit("This needs root, and removes what it made: sudo make test-deb")
    if not shutil.which("debootstrap"):
        sys.exit("debootstrap is missing: apt-get install debootstrap systemd-container")
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="smartpick-deb-"))
    try:
        why = impossible()
        if why:
            print(f"No machine can be booted here ({why}). What needs one is not tested: services, upgrades, the journal.")
            root_file_system(ROOT_FS)
            in_a_chroot(debs, scratch)
            return
        root_file_system(ROOT_FS)
        with Machine(ROOT_FS, scratch / "machine") as machine:
            machine.boot()
            site = Site(machine, debs, scratch)
            try:
                for step in STEPS:
                    step(site)
            except BaseException:
                units = [f"--unit={name}" for name in [EDGE, REDIS, CENTRAL]]
                print(machine.run("journalctl", "--no-pager", "-n", "60", *units, check=False), file=sys.stderr)
                raise
        print("All of it is as it should be.")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
