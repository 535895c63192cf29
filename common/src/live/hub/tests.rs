use serde_json::{Value, json};

use super::*;
use crate::clock;

/// The topics of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    One,
    Two,
    Three,
}

impl Topic for Subject {
    const ALL: &'static [Self] = &[Self::One, Self::Two, Self::Three];

    fn as_str(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Two => "two",
            Self::Three => "three",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// The last of each.
#[derive(Default)]
pub struct Last([Option<String>; 3]);

impl Present for Last {
    type Topic = Subject;

    fn write(&mut self, topics: Topics<Subject>, _now: DateTime<Utc>, out: &mut String) {
        for topic in Subject::ALL.iter().filter(|topic| topics.has(**topic)) {
            let last = self.0[topic.index()].as_deref().unwrap_or("null");
            write!(out, ",\"{}\":{last}", topic.as_str()).expect("a String takes everything");
        }
    }
}

pub fn hub(clients_max: usize) -> Hub<Last> {
    let words = Words { goodbye: "gone", stopping: "going", try_instead: "try this" };
    Hub::new(Last::default(), clients_max, words)
}

pub fn say(hub: &Hub<Last>, topic: Subject, what: &impl Serialize) {
    let json = to_json(what).expect("plain");
    hub.publish(|changes| {
        changes.present().0[topic.index()] = Some(json.clone());
        changes.push(topic, "what", &json);
    });
}

fn one(hub: &Hub<Last>, number: u128) {
    say(hub, Subject::One, &number);
}

fn two(hub: &Hub<Last>) {
    say(hub, Subject::Two, &1);
}

fn read(out: &mut Vec<Bytes>) -> Vec<Value> {
    std::mem::take(out).iter().map(|text| serde_json::from_slice(text).expect("JSON")).collect()
}

fn join(hub: &Hub<Last>, topics: &str, resume: Option<(Uuid, u64)>) -> (Cursor<Subject>, Vec<Value>) {
    let mut out = Vec::new();
    let cursor = hub.join(Topics::parse(topics).expect("valid"), resume, clock::now(), &mut out);
    let said = read(&mut out);
    (cursor, said)
}

fn next(hub: &Hub<Last>, cursor: &mut Cursor<Subject>) -> Vec<Value> {
    let (mut all, mut out) = (Vec::new(), Vec::new());
    loop {
        hub.next(cursor, clock::now(), &mut out);
        if out.is_empty() {
            return all;
        }
        all.append(&mut read(&mut out));
    }
}

fn seqs(messages: &[Value]) -> Vec<u64> {
    messages.iter().filter_map(|message| message["seq"].as_u64()).collect()
}

#[test]
fn a_snapshot_and_then_every_change_of_the_topics() {
    let hub = hub(1);
    one(&hub, 7);
    say(&hub, Subject::Three, &json!(["a", "b"]));
    let (mut cursor, said) = join(&hub, "one,two", None);
    assert_eq!((said[0]["seq"].as_u64(), &said[0]["one"]), (Some(2), &json!(7)));
    assert!(said[0]["two"].is_null() && said[0].get("three").is_none(), "{}", said[0]);
    say(&hub, Subject::Two, &json!({"status": "healthy"}));
    say(&hub, Subject::Three, &json!(["a"]));
    one(&hub, 8);
    let said = next(&hub, &mut cursor);
    assert_eq!(seqs(&said), [3, 5]);
    assert_eq!((&said[0]["topic"], &said[0]["what"]["status"]), (&json!("two"), &json!("healthy")));
    assert_eq!((&said[1]["topic"], &said[1]["what"]), (&json!("one"), &json!(8)));
    assert_eq!(cursor.seq(), 5);
    assert_eq!(next(&hub, &mut cursor), [] as [Value; 0]);
}

#[test]
fn one_that_resumes_gets_what_it_missed_and_nothing_else() {
    let hub = hub(1);
    for number in 0..10 {
        one(&hub, number);
        two(&hub);
    }
    let (mut cursor, said) = join(&hub, "one", Some((hub.run, 13)));
    assert_eq!((&said[0]["type"], &said[0]["seq"]), (&json!("resumed"), &json!(13)));
    assert_eq!(seqs(&next(&hub, &mut cursor)), [15, 17, 19]);
    for (run, after) in [(Uuid::from_u128(1), 13), (hub.run, 21)] {
        assert_eq!(join(&hub, "one", Some((run, after))).1[0]["type"], "snapshot", "{run} {after}");
    }
    assert_eq!(join(&hub, "one", Some((hub.run, 0))).1[0]["type"], "resumed", "nothing is lost of it yet");
    for _ in 0..CHANGES_MAX {
        two(&hub);
    }
    assert_eq!(join(&hub, "one", Some((hub.run, 19))).1[0]["type"], "snapshot", "too long ago");
    let (mut cursor, said) = join(&hub, "two", Some((hub.run, 20)));
    assert_eq!(said[0]["type"], "resumed", "all of it is there, to the last");
    assert_eq!(next(&hub, &mut cursor).len(), CHANGES_MAX);
}

/// Against a count kept by hand: whatever the mix of topics and reading habits, missed plus delivered is all there was.
#[test]
fn the_missed_are_counted_exactly_and_only_of_the_clients_topics() {
    let hub = hub(1);
    let (mut of_one, _) = join(&hub, "one", None);
    let (mut of_two, _) = join(&hub, "two", None);
    let (mut quick, _) = join(&hub, "one,two", None);
    one(&hub, 0);
    assert_eq!(next(&hub, &mut quick).len(), 1);
    for number in 0..CHANGES_MAX as u128 {
        two(&hub);
        if number % 100 == 0 {
            assert!(next(&hub, &mut quick).iter().all(|message| message["type"] == "change"));
        }
    }
    // The one went out of the list, the twos did not.
    let said = next(&hub, &mut of_one);
    assert_eq!((&said[0], &said[1]["type"]), (&json!({"type": "missed", "count": 1}), &json!("snapshot")));
    assert_eq!((said.len(), &said[1]["seq"]), (2, &json!(CHANGES_MAX + 1)));
    assert!(said[1].get("two").is_none());
    for number in 1..=50 {
        one(&hub, number);
    }
    assert_eq!(seqs(&next(&hub, &mut of_one)), (CHANGES_MAX as u64 + 2..=CHANGES_MAX as u64 + 51).collect::<Vec<_>>());
    let said = next(&hub, &mut of_two);
    assert_eq!(said[0], json!({"type": "missed", "count": CHANGES_MAX}));
    assert_eq!(next(&hub, &mut quick).len(), 50 + (CHANGES_MAX - 1) % 100);
}

#[test]
fn a_client_of_one_topic_is_not_hurt_by_a_storm_in_another() {
    let hub = hub(1);
    let (mut cursor, _) = join(&hub, "one", None);
    for _ in 0..2 * CHANGES_MAX {
        two(&hub);
    }
    one(&hub, 1);
    assert_eq!(seqs(&next(&hub, &mut cursor)), [2 * CHANGES_MAX as u64 + 1]);
}

#[test]
fn the_list_is_bounded_in_bytes_too() {
    let hub = hub(1);
    let long = "x".repeat(CHANGES_BYTES_MAX / 4);
    for _ in 0..10 {
        say(&hub, Subject::Two, &long);
    }
    let inner = hub.inner();
    assert!(inner.changes_bytes <= CHANGES_BYTES_MAX && inner.changes.len() == 3, "{}", inner.changes.len());
    drop(inner);
    say(&hub, Subject::Two, &"x".repeat(2 * CHANGES_BYTES_MAX));
    assert_eq!(hub.inner().changes_bytes, 0, "one that fits nowhere is not kept");
    let (mut cursor, said) = join(&hub, "two", Some((hub.run, 10)));
    assert_eq!(said[0]["type"], "snapshot");
    assert_eq!(next(&hub, &mut cursor), [] as [Value; 0]);
}
