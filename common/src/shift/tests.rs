use chrono_tz::{America, Europe, Pacific};
use proptest::prelude::*;

use super::*;

const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

fn time(text: &str) -> NaiveTime {
    NaiveTime::parse_from_str(text, "%H:%M").expect("a time")
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn daily(name: &str, start: &str, end: &str) -> Shift {
    Shift { name: name.to_owned(), days: WEEK.to_vec(), start: time(start), end: time(end) }
}

fn hours(occurrence: &Occurrence) -> f64 {
    (occurrence.to - occurrence.from).as_seconds_f64() / 3_600.0
}

#[test]
fn a_night_shift_is_as_long_as_the_night_really_was() {
    let tz = Europe::Berlin;
    let night = [daily("night", "22:00", "06:00")];
    // Clocks go forward on 29 March 2026 and back on 25 October 2026, both in the small hours.
    for (when, from, to, long) in [
        ("2026-03-28T23:30:00Z", "2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z", 7.0),
        ("2026-10-25T01:30:00Z", "2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z", 9.0),
        ("2026-06-01T23:30:00Z", "2026-06-01T20:00:00Z", "2026-06-02T04:00:00Z", 8.0),
    ] {
        let on = at(&night, tz, utc(when));
        assert_eq!((on.from, on.to, hours(&on)), (utc(from), utc(to), long), "{when}");
    }
}

#[test]
fn a_time_that_never_was_is_the_moment_of_the_change() {
    let change = utc("2026-03-29T01:00:00Z");
    let local = |text: &str| format!("2026-03-29T{text}:00").parse::<NaiveDateTime>().expect("a time");
    assert_eq!(instant(local("01:59"), Europe::Berlin), change - TimeDelta::minutes(1));
    for never in ["02:00", "02:30", "02:59", "03:00"] {
        assert_eq!(instant(local(never), Europe::Berlin), change, "{never}");
    }
    assert_eq!(instant(local("03:01"), Europe::Berlin), change + TimeDelta::minutes(1));
    // A shift that lies wholly in the hour that never was does not happen.
    let odd = [daily("odd", "02:00", "03:00"), daily("rest", "03:00", "02:00")];
    assert_eq!(at(&odd, Europe::Berlin, change).name, "rest");
}

#[test]
fn a_time_that_was_twice_is_its_first() {
    let local: NaiveDateTime = "2026-10-25T02:30:00".parse().expect("a time");
    assert_eq!(instant(local, Europe::Berlin), utc("2026-10-25T00:30:00Z"));
    let shifts = [daily("late", "18:00", "02:30"), daily("night", "02:30", "10:00")];
    let names: Vec<String> = ["2026-10-25T00:29:59Z", "2026-10-25T00:30:00Z", "2026-10-25T01:29:00Z"]
        .map(|when| at(&shifts, Europe::Berlin, utc(when)).name)
        .to_vec();
    assert_eq!(names, ["late", "night", "night"], "the second 02:29 is the night's");
}

#[test]
fn a_whole_day_that_was_skipped_is_stepped_over() {
    // Samoa went from 29 to 31 December 2011.
    let never: NaiveDateTime = "2011-12-30T12:00:00".parse().expect("a time");
    assert_eq!(instant(never, Pacific::Apia), utc("2011-12-30T10:00:00Z"));
}

#[test]
fn without_shifts_the_local_day_is_the_shift() {
    let on = at(&[], America::Chicago, utc("2026-07-29T03:00:00Z"));
    assert_eq!((on.kind, on.name.as_str()), (Stretch::Day, "2026-07-28"));
    assert_eq!((on.from, on.to), (utc("2026-07-28T05:00:00Z"), utc("2026-07-29T05:00:00Z")));
    assert_eq!(previous(&[], America::Chicago, utc("2026-07-29T03:00:00Z")).name, "2026-07-27");
}

#[test]
fn what_is_between_shifts_is_said_to_be_and_the_previous_one_is_found() {
    let weekday = Shift { days: WEEK[..5].to_vec(), ..daily("early", "06:00", "14:00") };
    let shifts =
        [weekday.clone(), Shift { name: "late".to_owned(), start: time("14:00"), end: time("22:00"), ..weekday }];
    // A Saturday.
    let on = at(&shifts, Europe::Berlin, utc("2026-06-06T10:00:00Z"));
    assert_eq!((on.kind, on.from, on.to), (Stretch::Between, utc("2026-06-05T20:00:00Z"), utc("2026-06-08T04:00:00Z")));
    assert_eq!(previous(&shifts, Europe::Berlin, utc("2026-06-06T10:00:00Z")).name, "late");
    let before = previous(&shifts, Europe::Berlin, utc("2026-06-08T05:00:00Z"));
    assert_eq!((before.name.as_str(), before.from), ("late", utc("2026-06-05T12:00:00Z")));
}

#[test]
fn a_range_has_every_occurrence_that_reaches_into_it() {
    let shifts = [daily("night", "22:00", "06:00"), daily("early", "06:00", "14:00")];
    let named = |from: &str, to: &str| -> Vec<(String, DateTime<Utc>)> {
        between(&shifts, Europe::Berlin, utc(from), utc(to)).into_iter().map(|one| (one.name, one.from)).collect()
    };
    // Over the change of 29 March: the night is an hour shorter, and still touches the early shift.
    assert_eq!(
        named("2026-03-28T23:00:00Z", "2026-03-29T20:30:00Z"),
        [
            ("night".to_owned(), utc("2026-03-28T21:00:00Z")),
            ("early".to_owned(), utc("2026-03-29T04:00:00Z")),
            ("night".to_owned(), utc("2026-03-29T20:00:00Z")),
        ]
    );
    // Ends do not count: a range that begins with one shift's end has only the next.
    assert_eq!(
        named("2026-06-02T04:00:00Z", "2026-06-02T12:00:00Z"),
        [("early".to_owned(), utc("2026-06-02T04:00:00Z"))]
    );
    assert_eq!(named("2026-06-02T13:00:00Z", "2026-06-02T19:00:00Z"), [], "between shifts");
    assert_eq!(named("2026-06-02T05:00:00Z", "2026-06-02T05:00:00Z"), [], "no time at all");
}

#[test]
fn a_range_without_shifts_has_its_local_days() {
    let days: Vec<(String, f64)> =
        between(&[], Europe::Berlin, utc("2026-10-23T23:00:00Z"), utc("2026-10-26T12:00:00Z"))
            .iter()
            .map(|one| (one.name.clone(), hours(one)))
            .collect();
    let day = |name: &str, hours: f64| (name.to_owned(), hours);
    assert_eq!(days, [day("2026-10-24", 24.0), day("2026-10-25", 25.0), day("2026-10-26", 24.0)]);
    // Samoa had no 30 December 2011.
    let days = between(&[], Pacific::Apia, utc("2011-12-29T12:00:00Z"), utc("2011-12-31T12:00:00Z"));
    let names: Vec<&str> = days.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["2011-12-29", "2011-12-31", "2012-01-01"]);
    assert!(days.windows(2).all(|pair| pair[0].to == pair[1].from), "{days:?}");
}

fn any_shift() -> impl Strategy<Value = Shift> {
    (0u32..24 * 60, 0u32..24 * 60, prop::sample::subsequence(WEEK.to_vec(), 1..=7)).prop_map(|(start, end, days)| {
        let time = |minute: u32| NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).expect("in the day");
        Shift { name: "one".to_owned(), days, start: time(start), end: time(end) }
    })
}

fn any_zone() -> impl Strategy<Value = Tz> {
    prop::sample::select(vec![
        Europe::Berlin,
        America::New_York,
        // Half an hour's change; changes at midnight; no changes.
        chrono_tz::Australia::Lord_Howe,
        America::Santiago,
        chrono_tz::Asia::Kolkata,
    ])
}

proptest! {
    /// Whatever the shift and the zone, occurrences do not overlap, and each is as long as its local times say, less
    /// what the clocks jumped.
    #[test]
    fn every_instant_is_in_at_most_one_occurrence(shift in any_shift(), tz in any_zone(), hour in 0i64..24 * 365) {
        let when = utc("2026-01-01T00:00:00Z") + TimeDelta::hours(hour);
        let all: Vec<Occurrence> = shift.around(when, tz).collect();
        prop_assert!(all.windows(2).all(|pair| pair[0].to <= pair[1].from), "{:?}", all);
        prop_assert!(all.iter().filter(|one| one.contains(when)).count() <= 1);
        let on_paper = {
            let minutes = (shift.end - shift.start).num_minutes();
            if minutes <= 0 { minutes + 24 * 60 } else { minutes }
        };
        for one in &all {
            let offset = |at: DateTime<Utc>| {
                use chrono::Offset as _;
                i64::from(tz.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()) / 60
            };
            let jumped = offset(one.to) - offset(one.from);
            let really = (one.to - one.from).num_minutes();
            // Ends in a gap or in a repeated hour are moved by no more than that.
            prop_assert!((really - (on_paper - jumped)).abs() <= 60, "{one:?}: {really} of {on_paper}, {jumped}");
            if jumped == 0 && offset(one.from - TimeDelta::hours(3)) == offset(one.to + TimeDelta::hours(3)) {
                prop_assert_eq!(really, on_paper);
            }
        }
    }

    /// Round the clock there is neither a hole nor an overlap, and `at` finds the one.
    #[test]
    fn shifts_that_touch_on_paper_touch_in_time(cut in 1u32..24 * 60, tz in any_zone(), minute in 0i64..60 * 24 * 365) {
        let cut = NaiveTime::from_hms_opt(cut / 60, cut % 60, 0).expect("in the day");
        let shifts = [
            Shift { end: cut, ..daily("a", "00:00", "00:00") },
            Shift { start: cut, ..daily("b", "00:00", "00:00") },
        ];
        let when = utc("2026-01-01T00:00:00Z") + TimeDelta::minutes(minute);
        let on: Vec<String> = shifts
            .iter()
            .flat_map(|shift| shift.around(when, tz))
            .filter(|one| one.contains(when))
            .map(|one| one.name)
            .collect();
        prop_assert_eq!(on.len(), 1, "{:?}", on);
        prop_assert_eq!(&at(&shifts, tz, when).name, &on[0]);
        prop_assert!(previous(&shifts, tz, when).to <= at(&shifts, tz, when).from);
    }

    /// A range has exactly the occurrences that `at` finds somewhere in it.
    #[test]
    fn a_range_agrees_with_its_moments(
        shift in prop::option::of(any_shift()),
        tz in any_zone(),
        minute in 0i64..60 * 24 * 365,
        minutes in 1i64..60 * 24 * 9,
    ) {
        let shifts: Vec<Shift> = shift.into_iter().collect();
        let from = utc("2026-01-01T00:00:00Z") + TimeDelta::minutes(minute);
        let to = from + TimeDelta::minutes(minutes);
        let range = between(&shifts, tz, from, to);
        prop_assert!(range.windows(2).all(|pair| pair[0].to <= pair[1].from), "{:?}", range);
        let (mut seen, mut now) = (Vec::new(), from);
        while now < to {
            let on = at(&shifts, tz, now);
            now = on.to;
            if on.kind != Stretch::Between {
                seen.push(on);
            }
        }
        prop_assert_eq!(range, seen);
    }
}

#[test]
fn shifts_that_are_on_at_once_are_found_also_over_midnight_and_the_end_of_the_week() {
    let on =
        |name: &str, days: &[Weekday], start: &str, end: &str| Shift { days: days.to_vec(), ..daily(name, start, end) };
    let (early, late, night) =
        (daily("early", "06:00", "14:00"), daily("late", "14:00", "22:00"), daily("night", "22:00", "06:00"));
    assert_eq!(overlapping(&[early.clone(), late.clone(), night.clone()]), None, "they touch");
    let pair = |a: Shift, b: Shift| {
        let shifts = [a, b];
        overlapping(&shifts)
            .map(|(a, b, day, time)| (a.name.clone(), b.name.clone(), format!("{day} {}", time.format("%H:%M"))))
    };
    let (a, b) = (|| "a".to_owned(), || "b".to_owned());
    let mon = &[Weekday::Mon];
    assert_eq!(
        pair(on("a", mon, "06:00", "14:00"), on("b", mon, "13:59", "15:00")),
        Some((a(), b(), "Mon 13:59".to_owned()))
    );
    assert_eq!(
        pair(on("a", mon, "13:59", "15:00"), on("b", mon, "06:00", "14:00")),
        Some((a(), b(), "Mon 13:59".to_owned()))
    );
    assert_eq!(pair(on("a", mon, "06:00", "14:00"), on("b", &[Weekday::Tue], "06:00", "14:00")), None);
    // Sunday's night is still on when Monday's shift begins.
    let sunday = on("a", &[Weekday::Sun], "22:00", "06:00");
    assert_eq!(pair(sunday.clone(), on("b", mon, "05:00", "13:00")), Some((a(), b(), "Mon 05:00".to_owned())));
    assert_eq!(pair(sunday, on("b", mon, "06:00", "13:00")), None);
    // A whole day.
    assert_eq!(
        pair(on("a", mon, "06:00", "06:00"), on("b", &[Weekday::Tue], "05:59", "07:00")),
        Some((a(), b(), "Tue 05:59".to_owned()))
    );
}
