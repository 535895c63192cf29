use proptest::prelude::*;

use super::*;

fn any_event() -> impl Strategy<Value = Event<'static>> {
    let ids = (any::<u128>(), any::<u128>(), any::<u128>(), any::<Option<u128>>());
    let times = (-4_000_000_000_000_000i64..8_000_000_000_000_000, 0i64..8_000_000_000_000_000);
    let texts = ("\\PC{1,255}", "\\PC{1,50}", "\\PC{0,400}");
    let rest = (0u16..=10_000, 0u16..=100, 0u8..3, any::<bool>());
    (ids, times, texts, rest).prop_map(|(ids, times, texts, rest)| Event {
        event_id: EventId::from_uuid(Uuid::from_u128(ids.0)),
        event_time: DateTime::from_timestamp_micros(times.0).expect("in chrono's range"),
        ingest_time: DateTime::from_timestamp_micros(times.1).expect("in chrono's range"),
        warehouse_id: WarehouseId::from_uuid(Uuid::from_u128(ids.1)),
        zone_id: ZoneId::from_uuid(Uuid::from_u128(ids.2)),
        camera_id: texts.0.into(),
        worker_id: ids.3.map(|id| WorkerId::from_uuid(Uuid::from_u128(id))),
        model_version: texts.1.into(),
        risk_score: Hundredths::from_raw(rest.0),
        confidence: Hundredths::from_raw(rest.1),
        source: [Source::Camera, Source::Wearable, Source::Manual][usize::from(rest.2)],
        clock_suspect: rest.3,
        posture_keypoints: texts.2.into(),
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read(event in any_event(), epoch: u128, seq: u64, accepted_ms: i64) {
        let epoch = Epoch::from_uuid(Uuid::from_u128(epoch));
        let payload = event_payload(&event);
        let bytes = Record { kind: Kind::Event, epoch, seq, accepted_ms, payload: &payload }.write();
        prop_assert_eq!(place(&bytes), Some((epoch, seq)));
        prop_assert_eq!(super::accepted_ms(&bytes), Some(accepted_ms));
        let record = Record::open(&bytes).expect("just written");
        prop_assert_eq!((record.epoch, record.seq, record.accepted_ms), (epoch, seq, accepted_ms));
        prop_assert_eq!(read_event(record.payload).expect("just written"), event);
    }

    #[test]
    fn any_flipped_bit_is_found(event in any_event(), at: prop::sample::Index, bit in 0u8..8) {
        let payload = event_payload(&event);
        let epoch = Epoch::from_uuid(Uuid::from_u128(7));
        let mut bytes = Record { kind: Kind::Event, epoch, seq: 1, accepted_ms: 7, payload: &payload }.write();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert_eq!(Record::open(&bytes), Err(RecordError::Checksum));
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(Record::open(&bytes));
        let (_, _) = (place(&bytes), accepted_ms(&bytes));
        drop(read_event(&bytes));
    }
}
