use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Vec<Rule>, String> {
    #[derive(Deserialize)]
    struct File {
        rules: Vec<RuleConfig>,
    }
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    check(&file.rules).map_err(|error| error.to_string())
}

#[test]
fn what_is_left_out_is_the_default_rule() {
    let short = parse("[[rules]]\nname = 'sustained-risk'\nthreshold = 70").expect("valid");
    assert_eq!(short, check(&[RuleConfig::sustained_risk()]).expect("valid"));
    let rule = &short[0];
    assert_eq!((rule.threshold.raw(), rule.clear_below.raw()), (7_000, 7_000));
    assert_eq!((rule.hold, rule.gap), (TimeDelta::seconds(3), TimeDelta::milliseconds(500)));
    assert_eq!((rule.scope, rule.severity), (ScopeKind::Worker, Severity::Warning));
    assert_eq!(rule.sources, [Source::Camera, Source::Wearable]);
}

#[test]
fn a_rule_that_cannot_work_is_refused_with_rule_field_and_fix() {
    for (setting, field, fix) in [
        ("threshold = 0", "threshold", "for example 70"),
        ("threshold = 100.5", "threshold", "up to 100"),
        ("threshold = 70\nclear_below = 70.5", "clear_below", "from 0 to the threshold (70)"),
        ("threshold = 70\nfor = '11m'", "for", "0s to 10m"),
        ("threshold = 70\ngap = '0s'", "gap", "1ms to 1m"),
        ("threshold = 70\ncooldown = '25h'", "cooldown", "0s to 1day"),
        ("threshold = 70\nsources = []", "sources", "camera, wearable, manual"),
        ("threshold = 70\nconfidence_min = 70", "confidence_min", "0 to 1"),
    ] {
        let error = parse(&format!("[[rules]]\nname = 'ok'\nthreshold = 1\n[[rules]]\nname = 'lift'\n{setting}"))
            .expect_err(setting);
        assert!(error.contains(&format!("rule 2 \"lift\": {field}: ")) && error.contains(fix), "{setting}: {error}");
    }
}

#[test]
fn names_are_plain_unique_and_not_our_own() {
    let named = |name: &str| parse(&format!("[[rules]]\nname = '{name}'\nthreshold = 70"));
    for bad in ["", "Heavy Lift", "wan-down", "flood", &"x".repeat(61)] {
        let error = named(bad).expect_err(bad);
        assert!(error.contains("name"), "{error}");
    }
    assert!(named("heavy_lift-2").is_ok());
    let twice = "[[rules]]\nname = 'a'\nthreshold = 70\n".repeat(2);
    assert!(parse(&twice).expect_err("twice").contains("rule 1 has this name too"));
    let many: String = (0..21).map(|n| format!("[[rules]]\nname = 'r{n}'\nthreshold = 70\n")).collect();
    assert!(parse(&many).expect_err("many").contains("at most 20"));
}

#[test]
fn a_misspelt_or_mistyped_key_is_an_error() {
    for (setting, word) in [
        ("treshold = 7", "treshold"),
        ("scope = 'team'", "unidentified"),
        ("for = 3", "for"),
        ("severity = 'bad'", "critical"),
        ("sources = ['phone']", "wearable"),
        ("zones = ['dock']", "zones"),
    ] {
        let error = parse(&format!("[[rules]]\nname = 'a'\nthreshold = 70\n{setting}")).expect_err(setting);
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn filters_choose_what_a_rule_looks_at() {
    let zone = |n: u128| ZoneId::from_uuid(uuid::Uuid::from_u128(n));
    let (camera, sure) = (Source::Camera, Hundredths::from_raw(60));
    let rule = |change: fn(&mut RuleConfig)| {
        let mut config = RuleConfig::sustained_risk();
        change(&mut config);
        check(&[config]).expect("valid").remove(0)
    };
    assert!(rule(|_| ()).wants(camera, sure, zone(1)));
    assert!(!rule(|_| ()).wants(Source::Manual, sure, zone(1)));
    assert!(rule(|r| r.confidence_min = 0.6).wants(camera, sure, zone(1)));
    assert!(!rule(|r| r.confidence_min = 0.61).wants(camera, sure, zone(1)));
    let in_zone_1 = rule(|r| r.zones = vec![ZoneId::from_uuid(uuid::Uuid::from_u128(1))]);
    assert!(in_zone_1.wants(camera, sure, zone(1)));
    assert!(!in_zone_1.wants(camera, sure, zone(2)));
}

#[test]
fn zones_are_bounded_and_sources_are_a_set() {
    let mut rule = RuleConfig::sustained_risk();
    rule.sources = vec![Source::Wearable, Source::Camera, Source::Wearable];
    assert_eq!(check(&[rule.clone()]), check(&[RuleConfig::sustained_risk()]), "in whatever order they are written");
    rule.zones = (0..=RULE_ZONES_MAX).map(|n| ZoneId::from_uuid(uuid::Uuid::from_u128(n as u128))).collect();
    let error = check(&[rule]).expect_err("too many").to_string();
    assert!(error.contains("zones: 201 are listed, at most 200"), "{error}");
}

fn any_config() -> impl Strategy<Value = RuleConfig> {
    let score = || (-1_000i32..101_000).prop_map(|n| f64::from(n) / 1_000.0);
    let millis = |most: u64| (0..=most).prop_map(Duration::from_millis);
    let scopes = vec![ScopeKind::Worker, ScopeKind::Unidentified, ScopeKind::Person];
    let severities = vec![Severity::Notice, Severity::Warning, Severity::Critical];
    let sources = vec![Source::Camera, Source::Wearable, Source::Manual];
    (
        ("[a-z0-9_-]{0,8}", score(), prop::option::of(score())),
        (millis(700_000), millis(70_000), millis(90_000_000)),
        (
            prop::sample::select(severities),
            prop::sample::select(scopes),
            (-100i32..1_100).prop_map(|n| f64::from(n) / 1_000.0),
        ),
        (prop::collection::vec(any::<u128>(), 0..4), prop::collection::vec(prop::sample::select(sources), 0..4)),
    )
        .prop_map(|((name, threshold, clear_below), (hold, gap, cooldown), rest, (zones, sources))| RuleConfig {
            name,
            threshold,
            clear_below,
            hold,
            gap,
            cooldown,
            severity: rest.0,
            scope: rest.1,
            zones: zones.into_iter().map(|zone| ZoneId::from_uuid(uuid::Uuid::from_u128(zone))).collect(),
            sources,
            confidence_min: rest.2,
        })
}

proptest! {
    /// Headquarters checks what it keeps as JSON, the edge what came over the link as JSON and its own as TOML: all must
    /// come to the same.
    #[test]
    fn the_verdict_survives_the_way_to_the_edge(set in prop::collection::vec(any_config(), 0..5)) {
        let json = serde_json::to_string(&set).expect("plain values");
        let back: Vec<RuleConfig> = serde_json::from_str(&json).expect("just written");
        prop_assert_eq!(check(&back), check(&set));
        let toml = toml::to_string(&std::collections::BTreeMap::from([("rules", &set)])).expect("plain values");
        prop_assert_eq!(parse(&toml), check(&set).map_err(|error| error.to_string()));
    }
}
