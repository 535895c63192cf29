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
    use chrono::DateTime;
    let zone = |n: u128| ZoneId::from_uuid(uuid::Uuid::from_u128(n));
    let seen = Observation {
        event_time: DateTime::UNIX_EPOCH,
        arrived_at: DateTime::UNIX_EPOCH,
        zone_id: zone(1),
        camera_id: "cam".into(),
        worker_id: None,
        risk_score: Hundredths::from_raw(8_000),
        confidence: Hundredths::from_raw(60),
        source: Source::Camera,
        keypoints: None,
    };
    let rule = |change: fn(&mut RuleConfig)| {
        let mut config = RuleConfig::sustained_risk();
        change(&mut config);
        check(&[config]).expect("valid").remove(0)
    };
    assert!(rule(|_| ()).wants(&seen));
    assert!(!rule(|_| ()).wants(&Observation { source: Source::Manual, ..seen.clone() }));
    assert!(rule(|r| r.confidence_min = 0.6).wants(&seen));
    assert!(!rule(|r| r.confidence_min = 0.61).wants(&seen));
    let in_zone_1 = rule(|r| r.zones = vec![ZoneId::from_uuid(uuid::Uuid::from_u128(1))]);
    assert!(in_zone_1.wants(&seen));
    assert!(!in_zone_1.wants(&Observation { zone_id: zone(2), ..seen }));
}
