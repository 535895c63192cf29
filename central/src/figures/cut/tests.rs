use chrono::{NaiveTime, Weekday};
use chrono_tz::Tz;
use common::shift::Shift;
use proptest::prelude::*;

use super::*;

const EVERY_DAY: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn range(from: &str, to: &str) -> Range {
    Range { from: at(from), to: at(to) }
}

fn clock(time_zone: Tz, shifts: &[(&str, &str, &str)]) -> SiteClock {
    let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").expect("a time");
    let shifts = shifts.iter().map(|(name, start, end)| Shift {
        name: (*name).to_owned(),
        days: EVERY_DAY.to_vec(),
        start: time(start),
        end: time(end),
    });
    SiteClock { time_zone, shifts: shifts.collect() }
}

fn hours(bucket: &Bucket) -> i64 {
    (bucket.to - bucket.from).num_hours()
}

#[test]
fn a_day_has_as_many_hours_as_the_clocks_give_it() {
    let berlin = clock(Tz::Europe__Berlin, &[]);
    for (from, to, expected) in
        [("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23), ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 25)]
    {
        let day = range(from, to);
        let days = buckets(By::Day, &berlin, day);
        assert_eq!((days.len(), hours(&days[0])), (1, expected));
        assert_eq!(buckets(By::Hour, &berlin, day).len(), usize::try_from(expected).expect("few"));
    }
    // In autumn the hour from two to three is there twice, in spring not at all.
    let autumn = Cut::hours(&berlin, range("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"));
    assert_eq!(autumn.cells.iter().filter(|cell| **cell == 2).count(), 2);
    let spring = Cut::hours(&berlin, range("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"));
    assert!(!spring.cells.contains(&2));
}

#[test]
fn hours_are_local_where_the_offset_is_no_whole_hour() {
    let kathmandu = clock(Tz::Asia__Kathmandu, &[]);
    let day = range("2026-05-01T18:15:00Z", "2026-05-02T18:15:00Z");
    let hours = buckets(By::Hour, &kathmandu, day);
    assert_eq!(hours.len(), 24);
    assert_eq!(hours[0].to, at("2026-05-01T19:15:00Z"));
    assert_eq!(buckets(By::Day, &kathmandu, day).len(), 1);
    let cut = Cut::hours(&kathmandu, day);
    assert_eq!((cut.cells[0], cut.cells[23], cut.cells[24]), (0, 23, NO_CELL));
}

#[test]
fn the_ends_of_a_range_cut_its_buckets() {
    let utc = clock(Tz::UTC, &[]);
    let days = buckets(By::Day, &utc, range("2026-05-01T22:30:00Z", "2026-05-03T01:15:00Z"));
    assert_eq!(days.len(), 3);
    assert_eq!((days[0].from, days[2].to), (at("2026-05-01T22:30:00Z"), at("2026-05-03T01:15:00Z")));
    assert_eq!(days[1].name.as_deref(), Some("2026-05-02"));
    assert_eq!(buckets(By::Quarter, &utc, range("2026-05-01T22:30:00Z", "2026-05-01T23:15:00Z")).len(), 3);
}

#[test]
fn weeks_begin_on_monday() {
    let weeks = buckets(By::Week, &clock(Tz::UTC, &[]), range("2026-01-01T00:00:00Z", "2026-01-12T00:00:00Z"));
    let names: Vec<_> = weeks.iter().map(|week| week.name.as_deref().unwrap_or_default()).collect();
    assert_eq!(names, ["2026-W01", "2026-W02"]);
    assert_eq!(weeks[1].from, at("2026-01-05T00:00:00Z"));
}

#[test]
fn a_shift_over_midnight_is_one_bucket_and_an_odd_start_is_moved_to_a_quarter() {
    let site = clock(Tz::Europe__Berlin, &[("Night", "22:00", "06:10"), ("Early", "06:10", "14:00")]);
    let shifts = buckets(By::Shift, &site, range("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"));
    let of = |name: &str| shifts.iter().filter(|b| b.name.as_deref() == Some(name)).cloned().collect::<Vec<_>>();
    // 22:00 CET to 06:10 CEST, an hour less than usual.
    assert_eq!(of("Night")[0].from, at("2026-03-28T21:00:00Z"));
    assert_eq!(of("Night")[0].to, at("2026-03-29T04:15:00Z"));
    // The first early one ends at 14:00 CET.
    assert_eq!(of("Early")[0].to, at("2026-03-28T13:00:00Z"));
    assert_eq!(of("Early")[1].from, at("2026-03-29T04:15:00Z"), "they still touch");
}

#[test]
fn only_time_in_shifts_counts_for_coverage_and_none_before_the_first_event_or_after_now() {
    let site = clock(Tz::UTC, &[("Early", "06:00", "14:00")]);
    let day = range("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z");
    let cut = Cut::whole(&site, day);
    let expected = |first: &str, now: &str| cut.minutes_expected(1, Some(at(first)), at(now))[0];
    assert_eq!(expected("2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z"), 8 * 60);
    assert_eq!(expected("2026-05-01T13:00:00Z", "2026-06-01T00:00:00Z"), 60);
    assert_eq!(expected("2026-01-01T00:00:00Z", "2026-05-01T06:07:59Z"), 7);
    assert_eq!(expected("2026-05-03T00:00:00Z", "2026-06-01T00:00:00Z"), 0);
    assert_eq!(cut.minutes_expected(1, None, at("2026-06-01T00:00:00Z")), [0]);
    let without = Cut::whole(&clock(Tz::UTC, &[]), day);
    assert_eq!(without.minutes_expected(1, Some(day.from), at("2026-06-01T00:00:00Z")), [24 * 60]);
}

#[test]
fn shifts_that_overlap_are_cut_apart() {
    let site = clock(Tz::UTC, &[("Early", "06:00", "14:00"), ("Office", "09:00", "17:00"), ("Late", "14:00", "22:00")]);
    let day = range("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z");
    let shifts = buckets(By::Shift, &site, day);
    let cuts = Cut::buckets(&site, day, &shifts);
    assert_eq!((shifts.len(), cuts.len()), (3, 2));
    let now = at("2026-06-01T00:00:00Z");
    let minutes: Vec<Vec<i64>> = cuts.iter().map(|cut| cut.minutes_expected(3, Some(day.from), now)).collect();
    assert_eq!(minutes, [[480, 0, 480], [0, 480, 0]]);
}

#[test]
fn quarters_are_rounded_down_and_up() {
    let odd = at("2026-05-01T10:07:31.5Z");
    assert_eq!(floor(odd), Some(at("2026-05-01T10:00:00Z")));
    assert_eq!(ceil(odd), Some(at("2026-05-01T10:15:00Z")));
    assert_eq!(ceil(at("2026-05-01T10:15:00Z")), Some(at("2026-05-01T10:15:00Z")));
    assert_eq!(floor(DateTime::<Utc>::MAX_UTC), None);
}

#[test]
fn hours_are_read_where_no_bound_is_inside_of_one() {
    let day = range("2026-05-01T22:15:00Z", "2026-05-02T20:45:00Z");
    let parts = |site: &SiteClock| Cut::hours(site, day).parts(day);
    let (first, last) =
        (range("2026-05-01T22:15:00Z", "2026-05-01T23:00:00Z"), range("2026-05-02T20:00:00Z", "2026-05-02T20:45:00Z"));
    let whole =
        Parts { hours: vec![range("2026-05-01T23:00:00Z", "2026-05-02T20:00:00Z")], quarters: vec![first, last] };
    assert_eq!(parts(&clock(Tz::Europe__Berlin, &[])), whole);
    let none = Parts { hours: Vec::new(), quarters: vec![day] };
    assert_eq!(parts(&clock(Tz::Asia__Kathmandu, &[])), none);
    let around = Parts {
        hours: vec![
            range("2026-05-01T23:00:00Z", "2026-05-02T06:00:00Z"),
            range("2026-05-02T07:00:00Z", "2026-05-02T20:00:00Z"),
        ],
        quarters: vec![first, range("2026-05-02T06:00:00Z", "2026-05-02T07:00:00Z"), last],
    };
    assert_eq!(parts(&clock(Tz::UTC, &[("Early", "06:30", "14:00")])), around, "a shift begins inside of an hour");
}

proptest! {
    #[test]
    fn the_parts_are_the_range_and_no_hour_that_is_read_whole_has_a_bound_inside(
        from in 0..400_i64, length in 1..400_i64, start in 0..96_u32, end in 0..96_u32, zone in 0..4_usize
    ) {
        let zone = [Tz::UTC, Tz::Europe__Berlin, Tz::Asia__Kolkata, Tz::Asia__Kathmandu][zone];
        let time = |quarter: u32| format!("{:02}:{:02}", quarter / 4, quarter % 4 * 15);
        let site = clock(zone, &[("Shift", &time(start), &time(end))]);
        let at = |quarter: i64| at("2026-03-28T00:00:00Z") + QUARTER * i32::try_from(quarter).expect("few");
        let range = Range { from: at(from), to: at(from + length) };
        for cut in [Cut::hours(&site, range), Cut::whole(&site, range)] {
            let Parts { hours, quarters } = cut.parts(range);
            let mut all: Vec<Range> = hours.iter().chain(&quarters).copied().collect();
            all.sort_unstable_by_key(|part| part.from);
            prop_assert_eq!((all[0].from, all[all.len() - 1].to), (range.from, range.to));
            prop_assert!(all.windows(2).all(|two| two[0].to == two[1].from));
            for part in hours {
                prop_assert_eq!(part.whole(HOUR), (part.from, part.to));
                let inside = |at: &&DateTime<Utc>| part.from < **at && **at < part.to;
                prop_assert!(cut.bounds.iter().filter(inside).all(|at| at.duration_trunc(HOUR) == Ok(*at)));
            }
        }
    }
}
