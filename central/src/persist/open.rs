//! Opening frames: from the bytes in the stream to items to store. Here foreign bytes are read for the first time, so
//! everything that can be wrong with them has a way to go: to the dead letters, with its reason, without its neighbours.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use common::alert::{read_alert, read_fact};
use common::ids::{Epoch, WarehouseId};
use common::protocol::{frame_records, unpack_frame};
use common::quarter::Quarter;
use common::record::{Kind, Record, RecordError, accepted_ms, place, read_event};

use super::check;
use crate::frame::{Content, DeadKind, Frame, Item};
use crate::store::batch::Origin;

/// No edge gives out so many seqs; a larger one is nonsense, and the ledger's ranges stay far from overflow.
const SEQ_MAX: u64 = 1 << 53;

/// A frame with its bytes unpacked, from which items borrow.
pub enum Unpacked {
    Records(Vec<u8>),
    /// It was never a frame: the edge sent it so.
    Unreadable(String),
    /// Its checksum was right when it came and is not any more. The edge has the whole one.
    Damaged,
}

pub fn unpack(frame: &Frame) -> Unpacked {
    if crc32c::crc32c(&frame.body) != frame.crc32c {
        return Unpacked::Damaged;
    }
    match unpack_frame(&frame.body) {
        Ok(bytes) => Unpacked::Records(bytes),
        Err(error) => Unpacked::Unreadable(format!("{:#}", anyhow::Error::new(error))),
    }
}

/// The items of the frame at `index`: its records in order, or itself as one dead letter.
pub fn items<'a>(index: usize, frame: &'a Frame, unpacked: &'a Unpacked) -> Vec<Item<'a>> {
    let whole = |reason: String| vec![item(index, frame, &frame.body, None, dead(DeadKind::Frame, reason.into()))];
    let bytes = match unpacked {
        Unpacked::Records(bytes) => bytes,
        Unpacked::Unreadable(reason) => return whole(reason.clone()),
        Unpacked::Damaged => return Vec::new(),
    };
    match frame_records(bytes) {
        Ok(records) => open_records(index, frame, &records),
        Err(error) => whole(error.to_string()),
    }
}

fn open_records<'a>(index: usize, frame: &Frame, records: &[&'a [u8]]) -> Vec<Item<'a>> {
    let mut items: Vec<Item<'a>> = records
        .iter()
        .map(|raw| {
            let (place, content) = open_record(raw, frame.warehouse_id);
            Item { quarter: quarter(raw), ..item(index, frame, raw, place, content) }
        })
        .collect();
    believe_places(&mut items);
    items
}

fn item<'a>(index: usize, frame: &Frame, raw: &'a [u8], place: Option<(Epoch, i64)>, content: Content<'a>) -> Item<'a> {
    Item {
        frame: index,
        edge_id: frame.edge_id,
        warehouse_id: frame.warehouse_id,
        batch_id: frame.batch_id,
        place,
        quarter: Quarter::UNKNOWN,
        raw,
        content,
    }
}

/// When a record says that it was accepted; its checksum may not vouch for it.
fn quarter(raw: &[u8]) -> Quarter {
    accepted_ms(raw).map_or(Quarter::UNKNOWN, Quarter::of_ms)
}

fn dead<'a>(kind: DeadKind, reason: Cow<'static, str>) -> Content<'a> {
    Content::Dead { kind, reason }
}

/// A record's place, where its checksum vouches for it, and its content.
fn open_record(raw: &[u8], warehouse: WarehouseId) -> (Option<(Epoch, i64)>, Content<'_>) {
    let dead = |error: &RecordError| dead(DeadKind::Record, error.to_string().into());
    let record = match Record::open(raw) {
        Ok(record) => record,
        Err(error @ (RecordError::Version(_) | RecordError::Kind(_))) => {
            // From a newer edge, and whole.
            return (place(raw).and_then(|(epoch, seq)| Some((epoch, ledger_seq(seq)?))), dead(&error));
        }
        Err(error) => return (None, dead(&error)),
    };
    let Some(seq) = ledger_seq(record.seq) else {
        return (None, self::dead(DeadKind::Record, format!("record's seq {} is out of range", record.seq).into()));
    };
    let place = Some((record.epoch, seq));
    let content = match record.kind {
        Kind::Event => read_event(record.payload).and_then(|event| check::event(event, warehouse)).map(Content::Event),
        Kind::Alert => {
            read_alert(record.payload).and_then(|alert| check::alert(&alert, warehouse).map(|()| Content::Alert(alert)))
        }
        Kind::Fact => read_fact(record.payload).and_then(|fact| check::fact(&fact).map(|()| Content::Fact(fact))),
    };
    (place, content.unwrap_or_else(|error| dead(&error)))
}

fn ledger_seq(seq: u64) -> Option<i64> {
    if (1..=SEQ_MAX).contains(&seq) { i64::try_from(seq).ok() } else { None }
}

/// A damaged record may still tell its place. It is believed if it fits among its neighbours: of an epoch that a whole
/// record of the batch names, not taken by one, and no further than one beyond their range: a wrong seq above all others
/// would make the ones in between missing for ever. Else its seq stays missing in the ledger, which is the truth as far
/// as we know. Its time is believed as far as those of the records around it allow.
fn believe_places(items: &mut [Item<'_>]) {
    if items.iter().all(|item| item.place.is_some()) {
        return;
    }
    let known: BTreeMap<(Epoch, i64), Quarter> =
        items.iter().filter_map(|item| Some((item.place?, item.quarter))).collect();
    let mut ranges: HashMap<Epoch, (i64, i64)> = HashMap::new();
    for &(epoch, seq) in known.keys() {
        let (first, last) = ranges.entry(epoch).or_insert((seq, seq));
        (*first, *last) = ((*first).min(seq), (*last).max(seq));
    }
    for item in items.iter_mut().filter(|item| item.place.is_none()) {
        let claimed = place(item.raw).and_then(|(epoch, seq)| Some((epoch, ledger_seq(seq)?)));
        item.place = claimed.filter(|claimed| {
            let fits = |(first, last): &(i64, i64)| (first - 1..=last + 1).contains(&claimed.1);
            ranges.get(&claimed.0).is_some_and(fits) && !known.contains_key(claimed)
        });
        if let Some((epoch, seq)) = item.place {
            let before = known.range((epoch, 0)..(epoch, seq)).next_back().map(|(_, quarter)| *quarter);
            let after = known.range((epoch, seq)..=(epoch, i64::MAX)).next().map(|(_, quarter)| *quarter);
            let earliest = before.or(after).unwrap_or(Quarter::UNKNOWN);
            item.quarter = item.quarter.min(after.unwrap_or(earliest)).max(earliest);
        }
    }
}

/// Opens the bytes of a dead letter again.
pub fn reopen<'a>(origin: &Origin, raw: &'a [u8], unpacked: &'a [u8]) -> Vec<Item<'a>> {
    let frame = Frame {
        batch_id: origin.batch_id,
        edge_id: origin.edge_id,
        warehouse_id: origin.warehouse_id,
        reply_to: uuid::Uuid::nil(),
        records: 1,
        crc32c: 0,
        body: bytes::Bytes::new(),
    };
    if !origin.whole_frame {
        return open_records(0, &frame, &[raw]);
    }
    match frame_records(unpacked) {
        Ok(records) => open_records(0, &frame, &records),
        Err(error) => vec![item(0, &frame, raw, None, dead(DeadKind::Frame, error.to_string().into()))],
    }
}

#[cfg(test)]
mod tests {
    use common::ids::{BatchId, EdgeId, WarehouseId};
    use common::protocol::pack_frame;
    use uuid::Uuid;

    use super::*;

    const EPOCH: Epoch = Epoch::from_uuid(Uuid::from_u128(7));

    fn record(seq: u64) -> Vec<u8> {
        accepted(seq, 100)
    }

    fn accepted(seq: u64, quarter: u32) -> Vec<u8> {
        let accepted_ms = Quarter::from_number(quarter).start().timestamp_millis() + 60_000;
        // Not an event, but a whole record: it has a place.
        Record { kind: Kind::Event, epoch: EPOCH, seq, accepted_ms, payload: b"nonsense" }.write()
    }

    fn flip(mut record: Vec<u8>, at: usize) -> Vec<u8> {
        record[at] ^= 0x40;
        record
    }

    fn quarters(records: &[Vec<u8>]) -> Vec<u32> {
        let frame = frame(records);
        let unpacked = unpack(&frame);
        items(0, &frame, &unpacked).iter().map(|item| item.quarter.number()).collect()
    }

    #[test]
    fn a_damaged_records_time_is_believed_as_far_as_its_neighbours_allow() {
        let payload = |record| flip(record, 36);
        let time = |record| flip(record, 33);
        assert_eq!(quarters(&[accepted(5, 10), payload(accepted(6, 11)), accepted(7, 12)]), [10, 11, 12]);
        assert_eq!(quarters(&[accepted(5, 10), time(accepted(6, 10)), accepted(7, 10)]), [10, 10, 10]);
        assert_eq!(quarters(&[accepted(7, 12), time(accepted(6, 11)), accepted(5, 10)]), [12, 12, 10], "too late");
        assert_eq!(quarters(&[accepted(5, 10), time(accepted(6, 11))]), [10, 10], "nothing follows");
        assert_eq!(quarters(&[time(accepted(6, 11)), accepted(7, 12)]), [12, 12], "nothing comes before");
    }

    fn frame(records: &[Vec<u8>]) -> Frame {
        let body = pack_frame(records).expect("memory");
        Frame {
            batch_id: BatchId::from_uuid(Uuid::from_u128(1)),
            edge_id: EdgeId::from_uuid(Uuid::from_u128(2)),
            warehouse_id: WarehouseId::from_uuid(Uuid::from_u128(3)),
            reply_to: Uuid::nil(),
            records: u32::try_from(records.len()).expect("few"),
            crc32c: crc32c::crc32c(&body),
            body: body.into(),
        }
    }

    fn places(records: &[Vec<u8>]) -> Vec<Option<i64>> {
        let frame = frame(records);
        let unpacked = unpack(&frame);
        items(0, &frame, &unpacked).iter().map(|item| item.place.map(|(_, seq)| seq)).collect()
    }

    #[test]
    fn a_damaged_records_place_is_believed_only_if_it_fits_its_neighbours() {
        assert_eq!(places(&[record(5), flip(record(6), 36), record(7)]), [Some(5), Some(6), Some(7)], "payload");
        assert_eq!(places(&[record(5), flip(record(6), 22), record(7)]), [Some(5), None, Some(7)], "seq, far away");
        assert_eq!(
            places(&[record(5), flip(record(6), 18), record(7)]),
            [Some(5), None, Some(7)],
            "seq, a little away"
        );
        assert_eq!(places(&[record(5), record(6), flip(record(7), 36)]), [Some(5), Some(6), Some(7)], "the last");
        assert_eq!(places(&[record(5), flip(record(6), 3), record(7)]), [Some(5), None, Some(7)], "epoch");
        assert_eq!(places(&[flip(record(6), 36)]), [None], "nobody vouches for it");
    }

    #[test]
    fn a_seq_out_of_range_is_nobodys_place() {
        assert_eq!(places(&[record(0), record(u64::MAX), record(1)]), [None, None, Some(1)]);
    }

    #[test]
    fn a_frame_that_changed_in_the_stream_is_damaged_and_one_that_came_so_is_unreadable() {
        let mut good = frame(&[record(1)]);
        assert!(matches!(unpack(&good), Unpacked::Records(_)));
        good.crc32c ^= 1;
        assert!(matches!(unpack(&good), Unpacked::Damaged));
        let cut = good.body.slice(..good.body.len() - 3);
        let cut = Frame { crc32c: crc32c::crc32c(&cut), body: cut, ..good };
        let unpacked = unpack(&cut);
        let items = items(4, &cut, &unpacked);
        assert!(matches!(&items[..], [Item { content: Content::Dead { kind: DeadKind::Frame, .. }, frame: 4, .. }]));
        assert_eq!(items[0].raw, &cut.body[..]);
    }
}
