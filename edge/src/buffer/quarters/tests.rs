use proptest::prelude::*;

use super::*;

fn epoch(n: u128) -> Epoch {
    Epoch::from_uuid(Uuid::from_u128(n))
}

fn quarter(n: u32) -> Quarter {
    Quarter::from_number(n)
}

fn report(n: u128, head: u64, current: bool) -> EpochReport {
    EpochReport { epoch: epoch(n), head, current, buffered: Vec::new(), quarters: Vec::new() }
}

fn told(quarters: &Quarters, mut reports: Vec<EpochReport>) -> Vec<EpochReport> {
    quarters.report(&mut reports);
    reports
}

/// Seqs and when they were accepted, and the quarters without any.
fn said(reports: &[EpochReport]) -> Vec<(u32, u64, u64)> {
    reports.iter().flat_map(|r| r.quarters.iter().map(|m| (m.quarter.number(), m.first, m.last))).collect()
}

proptest! {
    /// Whatever comes when, and however often central hears of it, in the end it knows of each seq its quarter and of
    /// each quarter that the edge ran.
    #[test]
    fn central_hears_of_every_seq_and_every_quarter(
        steps in prop::collection::vec((0u32..3, 0u64..4, any::<bool>()), 1..60)
    ) {
        let mut quarters = Quarters::default();
        let (mut now, mut head) = (100, 0);
        let mut accepted: BTreeMap<u64, u32> = BTreeMap::new();
        let mut ran = std::collections::BTreeSet::new();
        let mut heard: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for (later, count, beat) in steps {
            now += later;
            quarters.begin(epoch(1), quarter(now), head + 1);
            ran.insert(now);
            accepted.extend((head + 1..=head + count).map(|seq| (seq, now)));
            head += count;
            if beat {
                let reports = told(&quarters, vec![report(1, head, true)]);
                heard.extend(said(&reports).into_iter().map(|(q, first, last)| (q, (first, last))));
                prop_assert!(!quarters.told(&reports), "all fitted");
            }
        }
        // The next run tells the rest.
        let past = HashMap::from([(epoch(1), head)]);
        let mut left = Quarters::from_bytes(&quarters.to_bytes()).expect("just written");
        left.keep_only(|epoch| past.contains_key(&epoch));
        let reports = told(&left, vec![report(1, head, false)]);
        heard.extend(said(&reports).into_iter().map(|(q, first, last)| (q, (first, last))));
        prop_assert!(!left.told(&reports));
        prop_assert_eq!(left, Quarters::default());
        prop_assert_eq!(heard.keys().copied().collect::<std::collections::BTreeSet<_>>(), ran);
        let seqs: BTreeMap<u64, u32> =
            heard.iter().flat_map(|(q, (first, last))| (*first..=*last).map(move |seq| (seq, *q))).collect();
        prop_assert_eq!(seqs, accepted);
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), crc: bool) {
        let mut bytes = bytes;
        if crc {
            let crc = crc32c::crc32c(&bytes);
            bytes.extend_from_slice(&crc.to_le_bytes());
        }
        if let Some(quarters) = Quarters::from_bytes(&bytes) {
            drop(told(&quarters, vec![report(1, 5, true)]));
        }
    }
}

#[test]
fn a_heartbeat_holds_only_so_many_and_the_rest_follows() {
    let mut quarters = Quarters::default();
    let many = QUARTERS_MAX as u32 + 300;
    for n in 0..many {
        quarters.begin(epoch(1), quarter(n), u64::from(n) + 1);
    }
    let first = told(&quarters, vec![report(1, u64::from(many), true)]);
    assert_eq!(first[0].quarters.len(), QUARTERS_MAX);
    assert!(quarters.told(&first), "there is more");
    let rest = told(&quarters, vec![report(1, u64::from(many), true)]);
    assert_eq!(said(&rest).last(), Some(&(many - 1, u64::from(many), u64::from(many))));
    assert!(!quarters.told(&rest));
    assert_eq!(quarters.0[&epoch(1)].len(), 1, "the current one goes on");
}

#[test]
fn too_many_marks_cost_the_oldest() {
    let mut quarters = Quarters::default();
    quarters.begin(epoch(2), quarter(1), 1);
    for n in 0..MARKS_MAX as u32 + 10 {
        quarters.begin(epoch(1), quarter(n + 5), u64::from(n) + 1);
    }
    assert_eq!(quarters.0.values().map(VecDeque::len).sum::<usize>(), MARKS_MAX);
    assert_eq!(quarters.0[&epoch(2)].len(), 1, "an epoch keeps its last");
    assert_eq!(quarters.0[&epoch(1)][0].quarter, quarter(16));
}

#[test]
fn what_was_marked_but_not_stored_is_nobodys() {
    let mut quarters = Quarters::default();
    quarters.begin(epoch(1), quarter(1), 1);
    quarters.begin(epoch(1), quarter(2), 11);
    // The group of the second quarter was refused, and that of the first did not all arrive in the head file.
    assert_eq!(said(&told(&quarters, vec![report(1, 10, false)])), [(1, 1, 10), (2, 11, 10)]);
    assert_eq!(said(&told(&quarters, vec![report(1, 8, false)])), [(1, 1, 8), (2, 9, 8)]);
}

#[test]
fn the_next_run_reads_what_the_last_one_wrote_and_nothing_torn() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let path = dir.path().join("quarters");
    let past = HashMap::from([(epoch(1), 5)]);
    let (file, mut quarters) = QuartersFile::open(&path, &past).expect("opens");
    quarters.begin(epoch(1), quarter(7), 1);
    quarters.begin(epoch(2), quarter(7), 1);
    file.write(&quarters).expect("writes");
    let (_, left) = QuartersFile::open(&path, &past).expect("opens");
    assert_eq!(left.0.keys().copied().collect::<Vec<_>>(), [epoch(1)], "the other is settled");
    let mut bytes = fs::read(&path).expect("reads");
    bytes.truncate(bytes.len() - 1);
    fs::write(&path, bytes).expect("writes");
    assert_eq!(QuartersFile::open(&path, &past).expect("opens").1, Quarters::default());
}
