use super::*;

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + secs, 0).expect("a time")
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn site(n: u128, name: &str) -> crate::store::fleet::Site {
    crate::store::fleet::Site { warehouse_id: id(n), name: (!name.is_empty()).then(|| name.to_owned()) }
}

fn picture(sites: Vec<crate::store::fleet::Site>) -> Picture {
    Picture { now: at(0), sites, edges: vec![], states: vec![], dead_letters: vec![], alerts: vec![] }
}

fn ledger(missing: i64, buffered: i64) -> Ledger {
    Ledger { totals: Totals { missing, buffered, ..Totals::default() }, progress_at: None }
}

#[test]
fn what_should_be_seen_to_first_comes_first() {
    let mut picture = picture(vec![site(1, "b"), site(2, "a"), site(3, ""), site(4, "c"), site(5, "d")]);
    picture.alerts = vec![Alerts { warehouse_id: id(4), open: 3, unacknowledged: 2, critical: 1 }];
    let ledgers = Ledgers::from([((id(5), id(50)), ledger(7, 0))]);
    let (snapshot, _) = judge(&picture, &ledgers, &[]);
    let order: Vec<_> = snapshot.sites.iter().map(|site| site.row.warehouse_id).collect();
    // All are unknown: the one with a critical alert, the one with losses, then by name, those without one last.
    assert_eq!(order, [4, 5, 2, 1, 3].map(id));
    assert_eq!((snapshot.counts.unknown, snapshot.alerts_open, snapshot.totals.missing), (5, 3, 7));
    assert_eq!(snapshot.site(id(5)).map(|site| site.row.missing), Some(7));
    assert!(snapshot.site(id(9)).is_none());
}

#[test]
fn a_state_is_stored_once_and_its_beginning_kept() {
    let mut picture = picture(vec![site(1, "a")]);
    let (snapshot, changes) = judge(&picture, &Ledgers::new(), &[]);
    assert_eq!(snapshot.sites[0].row.since, at(0));
    assert_eq!((changes.len(), changes[0].new.version, changes[0].new.noted), (1, 0, true));
    assert_eq!(changes[0].new.codes, [Code::NoEdge]);
    picture.states = vec![Stored { version: 1, ..changes[0].new.clone() }];
    picture.now = at(100);
    let (snapshot, changes) = judge(&picture, &Ledgers::new(), &[]);
    assert_eq!(snapshot.sites[0].row.since, at(0), "since it began, not since we looked");
    assert_eq!(changes, []);
}

#[test]
fn reasons_that_change_are_stored_at_once_and_noted_at_most_once_a_minute() {
    let assessment = |code| Assessment::said(State::Degraded, code, "why");
    let stored = |codes: &[Code], noted: bool, noted_at: i64| Stored {
        warehouse_id: id(1),
        edge_id: None,
        version: 4,
        state: State::Degraded,
        codes: codes.to_vec(),
        since: at(-500),
        noted,
        noted_at: at(noted_at),
    };
    let change = |before: &Stored, code| {
        let (since, change) = settle(at(0), (id(1), None), Some(before), &assessment(code));
        assert_eq!(since, at(-500));
        change.map(|change| change.new.noted)
    };
    assert_eq!(change(&stored(&[Code::Own], true, -10), Code::Own), None);
    assert_eq!(change(&stored(&[Code::Own], true, -10), Code::Missing), Some(false), "for the hysteresis");
    assert_eq!(change(&stored(&[Code::Own], true, -60), Code::Missing), Some(true));
    assert_eq!(change(&stored(&[Code::Own], false, -10), Code::Own), None);
    assert_eq!(change(&stored(&[Code::Own], false, -60), Code::Own), Some(true), "made up for");
    let healthy = Assessment { state: State::Healthy, reasons: vec![] };
    let (since, change) = settle(at(0), (id(1), None), Some(&stored(&[Code::Own], true, -1)), &healthy);
    assert_eq!((since, change.map(|c| (c.new.noted, c.new.version))), (at(0), Some((true, 4))), "a state at once");
}

#[test]
fn what_nobody_could_look_at_for_too_long_is_unknown_and_says_what_it_was() {
    let mut picture = picture(vec![site(1, "a")]);
    picture.states = vec![];
    let ledgers = Ledgers::from([((id(1), id(50)), ledger(0, 12_400))]);
    let (snapshot, _) = judge(&picture, &ledgers, &[]);
    let blind = snapshot.outdated("Postgres is away");
    assert_eq!((blind.generated_at, blind.counts.unknown), (at(0), 1));
    let row = &blind.sites[0].row;
    assert_eq!((row.state, &row.reason_codes[..]), (State::Unknown, &[Code::HeadquartersBlind][..]));
    assert!(row.reasons[0].contains("nothing is known since 22:13:20 UTC"), "{:?}", row.reasons);
    assert!(row.reasons[1].starts_with("before that it was unknown: no edge"), "{:?}", row.reasons);
    assert_eq!((row.backlog, &*row.completeness.text), (12_400, "filling (backlog 12,400)"));
    let body: serde_json::Value = serde_json::from_slice(&blind.health()).expect("JSON");
    assert_eq!(body["outdated"]["reason"], "Postgres is away");
}
