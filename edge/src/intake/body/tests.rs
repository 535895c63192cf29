use proptest::prelude::*;

use super::*;

fn events(body: &[u8]) -> Vec<Result<Option<String>, (&'static str, &'static str)>> {
    read(body)
        .expect("a readable body")
        .into_iter()
        .map(|item| item.map(|wire| wire.camera_id.map(Into::into)).map_err(|r| (r.field, r.code)))
        .collect()
}

fn camera(name: &str) -> Result<Option<String>, (&'static str, &'static str)> {
    Ok(Some(name.to_owned()))
}

#[test]
fn all_forms_of_json_are_told_apart() {
    assert_eq!(events(br#"{"camera_id":"a"}"#), [camera("a")]);
    assert_eq!(events(b"\n{\n  \"camera_id\":\n \"a\"\n}\n"), [camera("a")]);
    assert_eq!(events(br#" [{"camera_id":"a"}, {"camera_id":"b"}] "#), [camera("a"), camera("b")]);
    assert_eq!(events(b"{\"camera_id\":\"a\"}\r\n\r\n{\"camera_id\":\"b\"}\n"), [camera("a"), camera("b")]);
}

#[test]
fn a_bad_event_does_not_harm_its_neighbours() {
    let bad = Err(("risk_score", "invalid_type"));
    let not_event = Err(("event", "invalid_type"));
    assert_eq!(
        events(br#"[{"camera_id":"a"},{"risk_score":"x"},7,{"camera_id":"b"}]"#),
        [camera("a"), bad.clone(), not_event, camera("b")]
    );
    let unreadable = Err(("event", "unreadable"));
    assert_eq!(
        events(b"{\"camera_id\":\"a\"}\n{\"risk_score\":\"x\"}\n{\"camera_\n{\"camera_id\":\"b\"}"),
        [camera("a"), bad, unreadable.clone(), camera("b")]
    );
    assert_eq!(events(b"{\"camera_\n{\"camera_id\":\"b\"}"), [unreadable, camera("b")]);
}

#[test]
fn what_is_no_event_at_all_is_said_to_be_so() {
    for body in [&b"hello"[..], b"{\"camera_id\":", b"[{}", b"{\n\"a\":\n1", b"\xff\xfe", b"[{}] []"] {
        assert!(matches!(read(body), Err(BodyError::Unreadable(_))), "{body:?}");
    }
    for body in [&b""[..], b"  \n", b"[]"] {
        assert!(matches!(read(body), Err(BodyError::Empty)), "{body:?}");
    }
    let many = format!("[{}]", vec!["{}"; EVENTS_MAX + 1].join(","));
    assert!(matches!(read(many.as_bytes()), Err(BodyError::TooMany(1_001))));
}

#[test]
fn unknown_fields_are_counted_and_escapes_read() {
    let items = read(br#"{"camera_id":"\u0061","colour":"red","shape":{"a":[1]}}"#).expect("readable");
    let wire = items[0].as_ref().expect("an event");
    assert_eq!((wire.camera_id.as_deref(), wire.unknown_fields), (Some("a"), 2));
}

#[test]
fn messagepack_says_the_same_as_json() {
    let value = serde_json::json!([{"camera_id": "a", "risk_score": 1.5, "posture_keypoints": {"head": {"x": 0.5}}}, {"risk_score": "x"}]);
    let packed = rmp_serde::to_vec(&value).expect("packs");
    let json = json_from_messagepack(&packed).expect("reads");
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&json).expect("json"), value);
    let behind = [packed.clone(), vec![0]].concat();
    for bad in [&packed[..packed.len() - 1], &behind, &[0xc1], &[]] {
        assert!(json_from_messagepack(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn content_types() {
    let format = |text| Format::from_content_type(text);
    assert_eq!(format(None), Some(Format::Json));
    assert_eq!(format(Some("application/json; charset=utf-8")), Some(Format::Json));
    assert_eq!(format(Some("Application/MsgPack")), Some(Format::MessagePack));
    // What a form on a foreign page can send.
    for refused in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        assert_eq!(format(Some(refused)), None);
    }
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        drop(read(&bytes));
        drop(json_from_messagepack(&bytes));
    }

    #[test]
    fn almost_json_never_panics(text in r#"[\[\]{}",:0-9a-z\\ \n]{0,200}"#) {
        drop(read(text.as_bytes()));
    }
}
