//! How figures are written in sentences for people.

/// `12,400`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `no events`, `2.5 events/s`, `1,200 events/s`
pub fn rate(per_second: f64) -> String {
    match per_second {
        none if none < 0.05 => "no events".to_owned(),
        few if few < 9.95 => format!("{few:.1} events/s"),
        // Whole and far below 2^53.
        many => format!("{} events/s", grouped(many.round() as u64)),
    }
}

/// `40 s`, `12 min`, `31 h`, `9 days`
pub fn duration(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 60.0 * MINUTE;
    const DAY: f64 = 24.0 * HOUR;
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 90.0 * MINUTE => format!("{:.0} min", s / MINUTE),
        s if s < 72.0 * HOUR => format!("{:.0} h", s / HOUR),
        s => format!("{} days", grouped((s / DAY).round() as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_round() {
        assert_eq!([0, 999, 1_000, 12_400, 1_234_567].map(grouped), ["0", "999", "1,000", "12,400", "1,234,567"]);
        assert_eq!(
            [0.0, 2.46, 9.97, 1_200.4].map(rate),
            ["no events", "2.5 events/s", "10 events/s", "1,200 events/s"]
        );
        let times = [40.0, 720.0, 111_600.0, 777_600.0, 1e9].map(duration);
        assert_eq!(times, ["40 s", "12 min", "31 h", "9 days", "11,574 days"]);
    }
}
