//! Forgetting a worker for good: what is stored is erased, and a tombstone keeps what may still come (a late re-send, a frame
//! in flight, a replayed dead letter) from bringing it back.
//!
//! ```text
//! tombstone ─▶ committed alone under the lock that every storing transaction holds ([`store::forgotten`])
//!     ▼        so: who stores after it sees it, and what was stored before it is there to be found
//! erase     ─▶ events partition by partition, alerts, dead letters, in short transactions
//! ```
//!
//! Rows stay and the ledger does not change: an event did happen, but nobody can say any more whose it was. Its posture
//! is emptied too: it is the person's body. If it is interrupted it can be begun again; it finds what is left.
//!
//! Out of reach are a site's own box (its history is kept for `history.keep_days`), frames in the consolidated stream until
//! they are trimmed (`stream.retain_seconds`), Postgres's own leftovers (until VACUUM, and the write-ahead log's), backups,
//! and damaged dead letters that nobody can read.
//!
//! [`store::forgotten`]: crate::store::forgotten

use std::collections::HashSet;

use common::credentials::hex;
use common::ids::{WarehouseId, WorkerId};
use common::protocol::unpack_frame;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::store::forgotten::{self, Eraser, Place};
use crate::store::{Db, StoreError};

/// MessagePack's mark of 16 bytes, which is how records write a UUID.
const UUID_MARK: [u8; 2] = [0xc4, 16];
/// How much of a hash names a forgotten worker in the audit: enough to tell two apart, and to check a guess by who knows
/// the id.
const PREFIX_BYTES: usize = 6;
/// Rounds over the partitions. A second one finds those that were made meanwhile, out of rows that the first had not
/// reached; there is one a day.
const ROUNDS_MAX: usize = 10;

/// Who is to be forgotten, and where.
#[derive(Debug, Clone, Copy)]
pub struct Subject {
    pub worker: WorkerId,
    /// `None` = at all sites.
    pub site: Option<WarehouseId>,
}

/// What stands for the worker in a tombstone.
pub type Tombstone = [u8; 32];

impl Subject {
    pub fn tombstone(&self) -> Tombstone {
        let hash = Sha256::new().chain_update(self.worker.uuid().as_bytes());
        match self.site {
            Some(site) => hash.chain_update(site.uuid().as_bytes()),
            None => hash,
        }
        .finalize()
        .into()
    }

    /// For the audit, in place of the id.
    pub fn name(&self) -> String {
        format!("worker sha256:{}", hex(&self.tombstone()[..PREFIX_BYTES]))
    }

    /// Whether the bytes of a dead letter say its id, in whatever form. `whole_frame`: they are a packed frame.
    pub fn is_in(&self, raw: &[u8], whole_frame: bool) -> bool {
        let id = self.worker.uuid();
        let (text, plain) = (id.hyphenated().to_string(), id.simple().to_string());
        let says = |bytes: &[u8]| {
            let find = |part: &[u8]| bytes.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
            bytes.windows(16).any(|window| window == id.as_bytes()) || find(text.as_bytes()) || find(plain.as_bytes())
        };
        says(raw) || (whole_frame && unpack_frame(raw).is_ok_and(|bytes| says(&bytes)))
    }
}

/// The tombstones that a worker of this warehouse may have.
pub fn tombstones(worker: Uuid, warehouse: WarehouseId) -> [Tombstone; 2] {
    let worker = WorkerId::from_uuid(worker);
    [None, Some(warehouse)].map(|site| Subject { worker, site }.tombstone())
}

/// What in the bytes of a dead letter may be a worker's id: it could not be read, or it would be none.
pub fn candidates(raw: &[u8], whole_frame: bool) -> HashSet<Uuid> {
    let unpacked = if whole_frame { unpack_frame(raw).unwrap_or_default() } else { Vec::new() };
    let marked = |bytes: &[u8]| -> Vec<Uuid> {
        let windows = bytes.windows(UUID_MARK.len() + 16);
        windows.filter_map(|w| Uuid::from_slice(w.strip_prefix(&UUID_MARK)?).ok()).collect()
    };
    marked(raw).into_iter().chain(marked(&unpacked)).collect()
}

/// What there is, or was, of a worker.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Found {
    pub events: u64,
    pub alerts: u64,
    pub dead_letters: u64,
}

/// Looks for what would be erased, and changes nothing. `progress` is told how many of how many parts are done.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn look(db: &Db, subject: Subject, progress: impl FnMut(u64, u64)) -> Result<Found, StoreError> {
    sweep(db, subject, None, progress).await
}

/// Writes the tombstone, then erases. May be called again after it was interrupted.
///
/// # Errors
/// If Postgres cannot do it now. The tombstone may stand already, and some may be erased: call it again.
pub async fn forget(
    db: &Db,
    actor: &str,
    subject: Subject,
    progress: impl FnMut(u64, u64),
) -> Result<Found, StoreError> {
    forgotten::entomb(db, actor, &subject).await?;
    let found = sweep(db, subject, Some(actor), progress).await?;
    forgotten::note_done(db, actor, &subject, &found).await?;
    Ok(found)
}

/// One walk over everything; erases in the name of `actor` if there is one.
async fn sweep(
    db: &Db,
    subject: Subject,
    actor: Option<&str>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Found, StoreError> {
    let mut eraser = Eraser::connect(db, subject, actor).await?;
    let mut found = Found::default();
    let mut seen: HashSet<String> = HashSet::new();
    for _ in 0..ROUNDS_MAX {
        let places: Vec<Place> =
            eraser.places().await?.into_iter().filter(|place| !seen.contains(place.table())).collect();
        if places.is_empty() {
            break;
        }
        let parts: u64 = places.iter().map(Place::parts).sum();
        let mut done = 0;
        for place in places {
            for part in 0..place.parts() {
                let rows = eraser.part(&place, part).await?;
                *(if place.is_alerts() { &mut found.alerts } else { &mut found.events }) += rows;
                done += 1;
                progress(done, parts);
            }
            seen.insert(place.table().to_owned());
        }
    }
    found.dead_letters = eraser.dead_letters().await?;
    eraser.close().await;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use common::protocol::pack_frame;

    use super::*;

    const WORKER: WorkerId = WorkerId::from_uuid(Uuid::from_u128(0x0012_3456_789a_4bcd_8ef0_1234_5678_9abc));

    fn site(n: u128) -> WarehouseId {
        WarehouseId::from_uuid(Uuid::from_u128(n))
    }

    #[test]
    fn a_tombstone_is_of_one_worker_at_one_site_or_at_all() {
        let at = |worker, site| Subject { worker, site }.tombstone();
        let [everywhere, here] = tombstones(WORKER.uuid(), site(1));
        assert_eq!((everywhere, here), (at(WORKER, None), at(WORKER, Some(site(1)))));
        let other = WorkerId::from_uuid(Uuid::from_u128(1));
        for different in [at(WORKER, Some(site(2))), at(other, None), at(other, Some(site(1)))] {
            assert!(different != everywhere && different != here);
        }
    }

    #[test]
    fn an_id_is_found_in_whatever_form_it_was_written() {
        let subject = Subject { worker: WORKER, site: None };
        // Letters in no order, so that zstd codes them, and the id with them, instead of keeping the bytes as they are.
        let mut letter = 1u32;
        let letters = std::iter::repeat_with(|| {
            letter = letter.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'a' + u8::try_from(letter >> 29).expect("three bits")
        });
        let (mut record, text) = (letters.take(4_000).collect::<Vec<u8>>(), WORKER.to_string());
        record.extend_from_slice(&UUID_MARK);
        record.extend_from_slice(WORKER.uuid().as_bytes());
        record.push(3);
        let json = format!(r#"{{"worker_id":"{}"}}"#, text.to_uppercase());
        let frame = pack_frame(std::slice::from_ref(&record)).expect("memory");
        assert!(subject.is_in(&record, false) && subject.is_in(json.as_bytes(), false));
        assert!(subject.is_in(text.replace('-', "").as_bytes(), false));
        assert!(subject.is_in(&frame, true) && !subject.is_in(&frame, false), "packed");
        let other = Subject { worker: WorkerId::from_uuid(Uuid::from_u128(5)), site: None };
        assert!(!other.is_in(&record, false) && !other.is_in(&frame, true));
        assert_eq!(candidates(&record, false), HashSet::from([WORKER.uuid()]));
        assert_eq!(candidates(&frame, true), HashSet::from([WORKER.uuid()]));
        assert_eq!(candidates(&[], true), HashSet::new());
    }

    #[test]
    fn the_name_in_the_audit_is_not_the_id() {
        let name = Subject { worker: WORKER, site: None }.name();
        assert_eq!(name.len(), "worker sha256:".len() + 12);
        assert!(!name.contains("00123456"), "{name}");
    }
}
