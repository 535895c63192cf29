use std::fs;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use common::ids::WarehouseId;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::kept;
use super::*;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("in range")
}

fn site(n: u128) -> WarehouseId {
    WarehouseId::from_uuid(Uuid::from_u128(n))
}

fn own() -> InForce {
    InForce::own(&[RuleConfig::sustained_risk()]).expect("valid")
}

fn set(version: u64, rules: Option<Value>) -> RuleSet {
    let rules = rules.map(|rules| rules.as_array().expect("a list").clone());
    RuleSet { version, set_id: Uuid::from_u128(u128::from(version)), rules }
}

fn heavy(version: u64) -> RuleSet {
    set(version, Some(json!([{"name": "heavy", "threshold": 60.0 + version as f64, "for": "2s"}])))
}

/// What a start finds.
fn found(dir: &TempDir) -> (InForce, Option<Trouble>) {
    kept::start(dir.path(), site(1), own(), now())
}

fn newest(dir: &TempDir) -> PathBuf {
    dir.path().join("headquarters-rules")
}

#[test]
fn what_was_kept_is_found_again_and_only_at_its_site() {
    let dir = TempDir::new().expect("a directory");
    assert_eq!(found(&dir), (own(), None));
    for version in [4, 5] {
        kept::save(dir.path(), site(1), &heavy(version)).expect("kept");
    }
    let (rules, trouble) = found(&dir);
    assert_eq!((rules.version(), trouble), (Some(5), None));
    assert_eq!((&*rules.rules[0].name, rules.at_risk_from().raw()), ("heavy", 6_500));
    assert_eq!(rules.to_string(), "headquarters' version 5");
    assert_eq!(kept::start(dir.path(), site(2), own(), now()), (own(), None), "an edge that moved");
    // Headquarters gives the edge its own rules back.
    kept::save(dir.path(), site(1), &set(6, None)).expect("kept");
    let (rules, _) = found(&dir);
    assert_eq!((rules.version(), &rules.rules), (None, &own().rules));
    assert_eq!(rules.followed.map(|followed| followed.version), Some(6));
    kept::save(dir.path(), site(1), &RuleSet::none()).expect("kept");
    assert_eq!(found(&dir), (own(), None), "nothing is left of a headquarters that knows nothing");
}

#[test]
fn a_damaged_file_is_moved_aside_and_the_last_good_one_counts() {
    let dir = TempDir::new().expect("a directory");
    for version in [4, 5] {
        kept::save(dir.path(), site(1), &heavy(version)).expect("kept");
    }
    let mut bytes = fs::read(newest(&dir)).expect("there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(newest(&dir), &bytes).expect("written");
    let (peeked, said) = kept::peek(dir.path(), site(1), own());
    assert_eq!(peeked.version(), Some(4));
    assert!(said.expect("said").contains("damaged") && newest(&dir).exists(), "looking changes nothing");

    let (rules, trouble) = found(&dir);
    assert_eq!(rules.version(), Some(4), "the one before");
    let words = trouble.expect("said").words;
    let aside = dir.path().join(format!("headquarters-rules.damaged-{}", now().timestamp_millis()));
    assert!(words.contains("damaged") && words.contains(&aside.display().to_string()), "{words}");
    assert_eq!(fs::read(&aside).expect("kept aside"), bytes, "nothing is deleted");
    // With the one before damaged too, the edge's own are left.
    fs::write(dir.path().join("headquarters-rules.before"), "00000000\n{}").expect("written");
    let (rules, trouble) = found(&dir);
    assert_eq!((rules, trouble.is_some()), (own(), true));
    // The next set mends it.
    kept::save(dir.path(), site(1), &heavy(6)).expect("kept");
    let (rules, trouble) = found(&dir);
    assert_eq!((rules.version(), trouble), (Some(6), None));
}

#[test]
fn a_power_cut_between_the_renames_leaves_the_last_good_one() {
    let dir = TempDir::new().expect("a directory");
    kept::save(dir.path(), site(1), &heavy(4)).expect("kept");
    fs::rename(newest(&dir), dir.path().join("headquarters-rules.before")).expect("renamed");
    fs::write(dir.path().join("headquarters-rules.new"), "half a f").expect("written");
    assert_eq!(found(&dir).0.version(), Some(4));
    kept::save(dir.path(), site(1), &heavy(5)).expect("kept over what was left lying");
    assert_eq!(found(&dir).0.version(), Some(5));
}

#[test]
fn a_set_of_another_version_of_smartpick_is_refused_in_words() {
    let dir = TempDir::new().expect("a directory");
    let foreign = set(9, Some(json!([{"name": "heavy", "threshold": 70, "posture": "bent"}])));
    let error = InForce::of(&foreign, &own()).expect_err("refused");
    assert!(error.starts_with("rule 1: ") && error.contains("posture"), "{error}");
    let wrong = set(9, Some(json!([{"name": "flood", "threshold": 70}])));
    let error = InForce::of(&wrong, &own()).expect_err("refused");
    assert!(error.contains("rule 1 \"flood\": name"), "{error}");
    kept::save(dir.path(), site(1), &heavy(8)).expect("kept");
    kept::save(dir.path(), site(1), &foreign).expect("kept by the version that knew it");
    let (rules, trouble) = found(&dir);
    assert_eq!(rules.version(), Some(8));
    let trouble = trouble.expect("said");
    assert_eq!(trouble.refused, Some(foreign.set_id));
    let current = Current::new(rules, Some(trouble));
    let report = current.report();
    assert_eq!((report.version, report.refused), (Some(8), Some(foreign.set_id)));
    assert!(current.health().expect("degraded").ends_with("the rules in force are headquarters' version 8"));
}

proptest! {
    /// Whatever happens to the file, a start finds a whole set or none, and never panics.
    #[test]
    fn any_damage_is_noticed(at: prop::sample::Index, change in 1..=255_u8, cut in any::<bool>()) {
        let dir = TempDir::new().expect("a directory");
        kept::save(dir.path(), site(1), &heavy(4)).expect("kept");
        let mut bytes = fs::read(newest(&dir)).expect("there");
        let index = at.index(bytes.len());
        if cut { bytes.truncate(index) } else { bytes[index] ^= change }
        fs::write(newest(&dir), &bytes).expect("written");
        let (rules, trouble) = found(&dir);
        prop_assert_eq!(rules, own());
        prop_assert!(trouble.is_some());
    }
}
