//! What of the machine can be wrong for either binary: the disk and its fsync, the clock, a port.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::Check;

/// Writes that are timed. Enough that one hiccup decides nothing.
const FSYNCS: usize = 9;
/// One page, as SQLite and Redis write at the least.
const FSYNC_BYTES: usize = 4096;
/// The fastest disks with a cache of their own need about this long. What is faster has not been to a disk.
const FSYNC_PLAUSIBLE: Duration = Duration::from_micros(15);
/// Slower than this a camera waits noticeably, and Redis is treated as gone at its default time budget.
const FSYNC_SLOW: Duration = Duration::from_millis(100);
/// Types of file systems that keep nothing over a reboot, or have no fsync to speak of (statfs(2)).
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
const NFS: u64 = 0x6969;

/// Whether `dir`'s disk really takes the time an fsync takes: writes a few pages into a file of its own and removes it.
pub fn fsync(name: &'static str, dir: &Path) -> Check {
    let kind = rustix::fs::statfs(dir).map(|fs| fs.f_type as u64 & 0xffff_ffff);
    match kind {
        Ok(TMPFS | RAMFS) => {
            return Check::failure(
                name,
                format!("{} is in memory: a reboot loses what is in it", dir.display()),
                "put it on a disk",
            );
        }
        Ok(NFS) => {
            return Check::warning(
                name,
                format!("{} is on a network share, whose fsync and locks cannot be trusted", dir.display()),
                "put it on a disk of this machine",
            );
        }
        _ => {}
    }
    match median_fsync(dir) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Check::skipped(name, format!("not measured: {} is another user's; with sudo it can be", dir.display()))
        }
        Err(error) => Check::failure(
            name,
            format!("writing to {} fails: {error}", dir.display()),
            "see `dmesg` for errors of the disk, and `df` for its room",
        ),
        Ok(took) if took < FSYNC_PLAUSIBLE => Check::warning(
            name,
            format!("takes {took:.1?}, which is faster than any disk: something answers before it is on disk"),
            "switch off the disk's or the virtual machine's write cache, or make sure that it survives a power cut",
        ),
        Ok(took) if took > FSYNC_SLOW => Check::warning(
            name,
            format!("takes {took:.1?}; every camera waits for it"),
            "see `iostat -x 1` for who else writes; an SSD takes about 1 ms",
        ),
        Ok(took) => Check::ok(name, format!("takes {took:.1?}, as a disk does")),
    }
}

fn median_fsync(dir: &Path) -> io::Result<Duration> {
    let path = dir.join(format!(".doctor-{}", std::process::id()));
    let measured = OpenOptions::new().write(true).create_new(true).open(&path).and_then(timed);
    // It may never have been made.
    drop(std::fs::remove_file(&path));
    measured
}

fn timed(mut file: File) -> io::Result<Duration> {
    let page = [0x5a; FSYNC_BYTES];
    let mut times = Vec::with_capacity(FSYNCS);
    for _ in 0..FSYNCS {
        file.write_all(&page)?;
        let started = Instant::now();
        file.sync_data()?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times[FSYNCS / 2])
}

/// Free room on `dir`'s disk, against what is low and what is too little.
pub fn disk(name: &'static str, dir: &Path, low: u64, least: u64) -> Check {
    let free = match rustix::fs::statvfs(dir) {
        Ok(fs) => fs.f_bavail.saturating_mul(fs.f_frsize),
        Err(error) => return Check::skipped(name, format!("{} cannot be asked: {error}", dir.display())),
    };
    let says = format!("{} free at {}", bytes(free), dir.display());
    let mend = "see `du -xh / | sort -h | tail`; the journal shrinks by `journalctl --vacuum-size=200M`";
    if free < least {
        Check::failure(name, format!("{says}: nothing more is taken below {}", bytes(least)), mend)
    } else if free < low {
        Check::warning(name, says, mend)
    } else {
        Check::ok(name, says)
    }
}

/// A number of bytes for people.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (count as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Whether somebody keeps the clock right, as the kernel knows it.
pub fn clock_is_kept(name: &'static str) -> Check {
    let asked = Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output();
    match asked {
        Ok(output) if output.stdout.starts_with(b"yes") => Check::ok(name, "kept by NTP"),
        Ok(output) if output.stdout.starts_with(b"no") => Check::warning(
            name,
            "is kept by nobody: it drifts by seconds a day",
            "`timedatectl set-ntp true`, or install chrony; the firewall must let UDP port 123 out",
        ),
        _ => Check::skipped(name, "who keeps it is not known: timedatectl does not answer here"),
    }
}

/// Whether `listen` can be had. Only to be asked when our service does not answer on it.
pub fn port(name: &'static str, listen: SocketAddr) -> Check {
    match TcpListener::bind(listen) {
        Ok(_) => Check::ok(name, format!("{listen} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Check::failure(
            name,
            format!("another program has {listen}, and it does not answer as ours"),
            format!("`ss -ltnp 'sport = :{}'` says which; stop it, or set `listen`", listen.port()),
        ),
        Err(error) => Check::failure(
            name,
            format!("cannot listen on {listen}: {error}"),
            "set `listen` to an address of this machine; `ip address` shows them",
        ),
    }
}

/// Whether only its owner can read what is in it.
pub fn is_private(path: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(path)?.mode() & 0o077 == 0)
}

/// Whether everybody on the machine can read it.
pub fn is_open_to_all(path: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(path)?.mode() & 0o004 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Mark;

    #[test]
    fn bytes_are_said_in_the_unit_that_fits() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (5 << 20, "5.0 MiB"),
            (3 << 30, "3.0 GiB"),
            (2 << 40, "2.0 TiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn a_place_in_memory_is_no_disk_and_one_that_is_not_there_no_place() {
        assert_eq!(fsync("fsync", Path::new("/dev/shm")).mark, Mark::Failure);
        assert_eq!(fsync("fsync", Path::new("/does/not/exist")).mark, Mark::Failure);
        assert_eq!(disk("disk", Path::new("/"), 0, 0).mark, Mark::Ok);
        assert_eq!(disk("disk", Path::new("/"), u64::MAX, 0).mark, Mark::Warning);
        assert_eq!(disk("disk", Path::new("/"), u64::MAX, u64::MAX).mark, Mark::Failure);
    }

    #[test]
    fn a_port_that_another_has_is_found() {
        let other = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = other.local_addr().expect("an address");
        assert_eq!(port("listen", addr).mark, Mark::Failure);
        drop(other);
        assert_eq!(port("listen", addr).mark, Mark::Ok);
    }
}
