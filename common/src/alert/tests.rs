use proptest::prelude::*;

use super::*;

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + secs, 0).expect("in range")
}

/// Few ids and few times, so that they collide.
fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let statement = prop_oneof![
        (0u128..3)
            .prop_map(|n| Statement::Acknowledge { alert_id: AlertId::from_uuid(Uuid::from_u128(n)), note: None }),
        Just(Statement::Silence { scope: Scope::default(), reason: "trial".to_owned(), until: at(100) }),
        (0u128..20).prop_map(|n| Statement::EndSilence { silence_id: FactId::from_uuid(Uuid::from_u128(n)) }),
    ];
    let fact = (0i64..5, any::<bool>(), statement);
    prop::collection::vec(fact, 0..20).prop_map(|facts| {
        let fact = |(n, (secs, edge, statement)): (usize, (i64, bool, Statement))| Fact {
            fact_id: FactId::from_uuid(Uuid::from_u128(n as u128)),
            at: at(secs),
            by: format!("person {n}"),
            origin: if edge { Origin::Edge } else { Origin::Headquarters },
            statement,
        };
        facts.into_iter().enumerate().map(fact).collect()
    })
}

proptest! {
    #[test]
    fn order_and_repetition_do_not_change_what_facts_amount_to(facts in facts(), seed in any::<u64>()) {
        let mut shuffled: Vec<&Fact> = facts.iter().chain(&facts).collect();
        // A shuffle that a failing case repeats.
        shuffled.sort_by_key(|fact| fact.fact_id.uuid().as_u128().wrapping_mul(u128::from(seed | 1)) % 1_009);
        prop_assert_eq!(merge(shuffled), merge(&facts));
    }

    #[test]
    fn a_fact_survives_its_record(facts in facts()) {
        for fact in facts {
            prop_assert_eq!(read_fact(&payload(&fact)).expect("just written"), fact);
        }
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(read_alert(&bytes));
        drop(read_fact(&bytes));
    }
}

fn acknowledge(n: u128, secs: i64, origin: Origin) -> Fact {
    Fact {
        fact_id: FactId::from_uuid(Uuid::from_u128(n)),
        at: at(secs),
        by: format!("person {n}"),
        origin,
        statement: Statement::Acknowledge { alert_id: AlertId::from_uuid(Uuid::from_u128(9)), note: None },
    }
}

#[test]
fn the_first_acknowledgement_wins_wherever_it_was_made_and_the_later_is_kept() {
    let (floor, hq) = (acknowledge(1, 5, Origin::Edge), acknowledge(2, 3, Origin::Headquarters));
    for facts in [[&floor, &hq], [&hq, &floor]] {
        let merged = merge(facts);
        let who: Vec<_> =
            merged.acknowledgements[&AlertId::from_uuid(Uuid::from_u128(9))].iter().map(|a| &a.by).collect();
        assert_eq!(who, ["person 2", "person 1"]);
    }
}

#[test]
fn a_silence_ends_by_itself_or_by_hand_at_the_earliest_word() {
    let fact = |n, secs, statement| Fact { statement, ..acknowledge(n, secs, Origin::Edge) };
    let silence =
        fact(1, 0, Statement::Silence { scope: Scope::default(), reason: "stocktaking".to_owned(), until: at(60) });
    let id = silence.fact_id;
    let alone = merge([&silence]);
    assert!(!alone.silences[&id].active(at(-1)));
    assert!(alone.silences[&id].active(at(59)));
    assert!(!alone.silences[&id].active(at(60)));
    let (early, late) =
        (fact(3, 20, Statement::EndSilence { silence_id: id }), fact(2, 40, Statement::EndSilence { silence_id: id }));
    for facts in [[&silence, &early, &late], [&late, &early, &silence]] {
        let merged = merge(facts);
        assert!(merged.silences[&id].active(at(19)));
        assert!(!merged.silences[&id].active(at(20)));
    }
}

#[test]
fn a_scope_covers_what_it_does_not_name() {
    let (zone, other) = (ZoneId::from_uuid(Uuid::from_u128(1)), ZoneId::from_uuid(Uuid::from_u128(2)));
    let scope = Scope { zone_id: Some(zone), ..Scope::default() };
    assert!(scope.covers("any", Some(zone), Some("cam-01")));
    assert!(!scope.covers("any", Some(other), Some("cam-01")));
    assert!(!scope.covers("wan-down", None, None));
    assert!(Scope::default().covers("wan-down", None, None));
}
