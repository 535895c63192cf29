//! One directory for all that a stack writes, gone when the stack is gone, even if we are killed with -9.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

/// Removes the directory once our end of its stdin is closed, by us or by our death. The pause lets servers that die
/// with us finish writing; "keep" spares the directory.
const JANITOR: &str =
    r#"trap '' INT TERM HUP; read -r word; [ "$word" = keep ] && exit; [ -d "$1" ] && sleep 1; rm -rf -- "$1""#;

/// A temporary directory with a short path, since unix sockets allow about 100 bytes.
pub struct Dir {
    path: PathBuf,
    janitor: Child,
    keep: AtomicBool,
}

impl Dir {
    /// # Errors
    /// If the directory cannot be made.
    pub fn new() -> anyhow::Result<Self> {
        // As root, Postgres runs as another user, who may not be able to reach root's own TMPDIR.
        let parent = if rustix::process::geteuid().is_root() { PathBuf::from("/tmp") } else { std::env::temp_dir() };
        let path = tempfile::Builder::new()
            .prefix("smartpick-")
            .tempdir_in(&parent)
            .with_context(|| format!("cannot make a directory in {}", parent.display()))?
            .keep();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o711))
            .context("cannot open the directory to servers")?;
        let janitor = Command::new("sh")
            .args(["-c", JANITOR, "janitor"])
            .arg(&path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C at the terminal is for us, not for it.
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        Ok(Self { path, janitor, keep: AtomicBool::new(false) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it where it is at the end, for its logs.
    pub fn keep(&self) {
        self.keep.store(true, Ordering::Relaxed);
    }

    /// A directory inside, made now.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn sub(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.janitor.stdin.take() {
            if self.keep.load(Ordering::Relaxed) || std::thread::panicking() {
                // A failed test: its logs are what one wants to see next.
                drop(stdin.write_all(b"keep\n"));
                drop(writeln!(std::io::stderr(), "logs are kept in {}", self.path.display()));
            } else {
                drop(fs::remove_dir_all(&self.path));
            }
        }
        drop(self.janitor.wait());
    }
}
