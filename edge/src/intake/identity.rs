//! What of a worker's identity goes any further than the intake. It is applied to each event as soon as it is valid, before anything is
//! buffered, alerted on, hashed or logged, so that what the site does not want to know is nowhere on this box.
//!
//! A pseudonym is HMAC-SHA256 of the id, made into a UUID. The same worker has the same one at all times, so rules by
//! worker, people counted and trends still work; whose it is can only be found with the key, which never leaves the box.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use common::event::Event;
use common::ids::WorkerId;
use hmac::{Hmac, Mac as _};
use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// In the data directory.
const FILE: &str = "worker.key";
const KEY_BYTES: usize = 32;
/// The key and its CRC32C: with another key everybody would become somebody else, and nobody would notice.
const FILE_BYTES: usize = KEY_BYTES + 4;

/// `privacy.worker_identity`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerIdentity {
    /// As the camera says it.
    #[default]
    Pass,
    /// A name that only this box could trace back.
    Pseudonym,
    /// Nobody's.
    Drop,
}

/// The choice, ready to be applied.
pub enum Identity {
    Pass,
    Pseudonym(Box<Hmac<Sha256>>),
    Drop,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("failed to use the key of the pseudonyms, {0}")]
    Io(PathBuf, #[source] io::Error),
    #[error(
        "the key of the pseudonyms, {0}, is damaged; restore it from a backup, or move it aside: then a new one is made, \
         and each worker has another pseudonym from then on"
    )]
    Damaged(PathBuf),
    #[error("others may read the key of the pseudonyms, {path} (mode {mode:o}); run `chmod 600 {path}`")]
    Open { path: PathBuf, mode: u32 },
}

impl Identity {
    /// Reads the key from the data directory, or makes it, if one is needed.
    ///
    /// # Errors
    /// If the key cannot be used. Nothing is taken then: a wrong key would mix people up.
    pub fn open(choice: WorkerIdentity, dir: &Path) -> Result<Self, KeyError> {
        Ok(match choice {
            WorkerIdentity::Pass => Self::Pass,
            WorkerIdentity::Pseudonym => Self::with_key(&key(dir)?),
            WorkerIdentity::Drop => Self::Drop,
        })
    }

    fn with_key(key: &[u8; KEY_BYTES]) -> Self {
        Self::Pseudonym(Box::new(Hmac::new_from_slice(key).expect("HMAC takes keys of any length")))
    }

    /// Replaces the worker of an event by what may be known.
    pub fn apply(&self, event: &mut Event<'_>) {
        event.worker_id = match self {
            Self::Pass => return,
            Self::Pseudonym(mac) => event.worker_id.map(|worker| pseudonym(mac, worker)),
            Self::Drop => None,
        };
    }
}

/// A UUID of version 8 (RFC 9562: what is in it is its maker's affair), so that nobody takes it for a camera's.
fn pseudonym(mac: &Hmac<Sha256>, worker: WorkerId) -> WorkerId {
    let digest: [u8; 32] = mac.clone().chain_update(worker.uuid().as_bytes()).finalize().into_bytes().into();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    WorkerId::from_uuid(uuid::Builder::from_custom_bytes(first).into_uuid())
}

fn key(dir: &Path) -> Result<[u8; KEY_BYTES], KeyError> {
    let path = dir.join(FILE);
    let failed = |error| KeyError::Io(path.clone(), error);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return make(dir, &path).map_err(failed),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { path, mode });
    }
    let mut bytes = Vec::with_capacity(FILE_BYTES);
    Read::take(&mut file, FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    parse(&bytes).ok_or(KeyError::Damaged(path))
}

fn parse(bytes: &[u8]) -> Option<[u8; KEY_BYTES]> {
    let bytes: &[u8; FILE_BYTES] = bytes.try_into().ok()?;
    let (key, crc) = bytes.split_at(KEY_BYTES);
    (crc == crc32c::crc32c(key).to_le_bytes()).then(|| key.try_into().ok())?
}

/// Under another name first, on the disk, and only then in its place: a power cut leaves a whole key or none. One that was
/// used for a moment and lost would leave pseudonyms behind that nobody has.
fn make(dir: &Path, path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    rand::rng().fill_bytes(&mut key);
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(&key)?;
    file.write_all(&crc32c::crc32c(&key).to_le_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(dir)?.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use uuid::{Uuid, Variant, Version};

    use super::*;

    fn of(identity: &Identity, worker: u128) -> Option<Uuid> {
        let wire = format!(
            r#"{{"event_id":"{id}","event_time":"2026-01-01T00:00:00Z","warehouse_id":"{id}","zone_id":"{id}",
                "camera_id":"c","worker_id":"{}","model_version":"1","risk_score":1,"confidence":1,"source":"camera",
                "posture_keypoints":{{}}}}"#,
            Uuid::from_u128(worker),
            id = Uuid::nil(),
        );
        let mut event = super::super::read_recorded(&wire, std::time::Duration::from_secs(1)).expect("valid");
        identity.apply(&mut event);
        event.worker_id.map(WorkerId::uuid)
    }

    #[test]
    fn a_pseudonym_is_always_the_same_and_says_that_it_is_none_of_a_cameras() {
        let dir = tempfile::tempdir().expect("a directory");
        let open = |dir: &Path| Identity::open(WorkerIdentity::Pseudonym, dir).expect("opens");
        let (first, again) = (open(dir.path()), open(dir.path()));
        let anna = of(&first, 1).expect("somebody");
        assert_eq!(of(&again, 1), Some(anna), "after a restart too");
        assert_ne!(of(&first, 2), Some(anna));
        assert_eq!((anna.get_version(), anna.get_variant()), (Some(Version::Custom), Variant::RFC4122));
        let elsewhere = tempfile::tempdir().expect("a directory");
        assert_ne!(of(&open(elsewhere.path()), 1), Some(anna), "another box has another key");
        assert_eq!(of(&Identity::Pass, 1), Some(Uuid::from_u128(1)));
        assert_eq!(of(&Identity::Drop, 1), None);
    }

    #[test]
    fn it_is_the_hmac_of_the_id() {
        // Reckoned by `openssl dgst -sha256 -mac hmac -macopt hexkey:0b…0b` of the 16 bytes, with version and variant set.
        let pseudonym = of(&Identity::with_key(&[0x0b; KEY_BYTES]), 0x0102_0304_0506_4708_890a_0b0c_0d0e_0f10);
        assert_eq!(pseudonym.expect("somebody").to_string(), "550365ad-8881-87a5-bfab-d04ddc42e9c3");
    }

    #[test]
    fn the_key_is_the_owners_alone_and_a_wrong_one_is_refused_with_the_fix() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(FILE);
        // A power cut while it was made.
        fs::write(dir.path().join("worker.new"), b"half").expect("writes");
        let key = key(dir.path()).expect("is made");
        let mode = fs::metadata(&path).expect("is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let refused = || super::key(dir.path()).expect_err("refused").to_string();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changes");
        assert!(refused().contains(&format!("chmod 600 {}", path.display())), "{}", refused());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changes");
        let whole = fs::read(&path).expect("reads");
        let mut flipped = whole.clone();
        flipped[7] ^= 1;
        for bytes in [&flipped[..], &whole[..35], &[], &[&whole[..], b"x"].concat()] {
            fs::write(&path, bytes).expect("writes");
            assert!(refused().contains("move it aside"), "{}", refused());
        }
        fs::write(&path, &whole).expect("writes");
        assert_eq!(super::key(dir.path()).expect("whole again"), key);
    }
}
