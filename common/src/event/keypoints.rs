//! `posture_keypoints` is carried and stored as the camera wrote it, so this one pass over its text must be enough to know
//! that whoever reads it in Postgres can take it for `jsonb`. Whether it is well-formed JSON somebody else says: at the
//! intake the reader before us, at headquarters Postgres.

use super::{KEYPOINTS_BYTES_MAX, KEYPOINTS_DEPTH_MAX};

/// What is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Stable, for programs.
    pub code: &'static str,
    /// For people, with the bound.
    pub message: String,
}

impl Unfit {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// jsonb keeps numbers as `numeric`; beyond a double's range they make no sense as coordinates anyway.
const EXPONENT_MAX: i64 = 308;
/// A `numeric` has so many decimals at most. Before its point it holds more digits than we take bytes.
const DECIMALS_MAX: i64 = 16_383;

/// Checks size, nesting, texts and numbers of a JSON value. Of text that is no JSON it says something or nothing.
///
/// # Errors
/// The first bound it breaks.
pub fn check(json: &str) -> Result<(), Unfit> {
    if json.len() > KEYPOINTS_BYTES_MAX {
        return Err(Unfit::new("too_large", format!("{} bytes, at most {KEYPOINTS_BYTES_MAX} are taken", json.len())));
    }
    let bytes = json.as_bytes();
    if bytes.first() != Some(&b'{') {
        return Err(Unfit::new("invalid_type", "must be a JSON object, {} if there are no keypoints"));
    }
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = skip_text(bytes, at + 1)?;
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > KEYPOINTS_DEPTH_MAX {
                    return Err(Unfit::new("too_deep", format!("nested deeper than {KEYPOINTS_DEPTH_MAX} levels")));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                at = skip_number(json, at)?;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// From behind an opening quote to behind the closing one.
fn skip_text(bytes: &[u8], mut at: usize) -> Result<usize, Unfit> {
    loop {
        match bytes.get(at) {
            Some(b'"') | None => return Ok(at + 1),
            Some(b'\\') if bytes.get(at + 1) == Some(&b'u') => at = check_escape(bytes, at)?,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

/// A `\uXXXX` at `at`: jsonb can hold neither NUL nor half a surrogate pair.
fn check_escape(bytes: &[u8], at: usize) -> Result<usize, Unfit> {
    let unit = |at: usize| {
        let hex = bytes.get(at..at + 6).filter(|b| b.starts_with(b"\\u"))?;
        u16::from_str_radix(std::str::from_utf8(&hex[2..]).ok()?, 16).ok()
    };
    match unit(at) {
        Some(0) => Err(Unfit::new("nul", "contains the character \\u0000, which cannot be stored")),
        Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => Ok(at + 12),
        Some(0xD800..=0xDFFF) | None => Err(Unfit::new("invalid_text", "contains half of a UTF-16 surrogate pair")),
        Some(_) => Ok(at + 6),
    }
}

/// From the beginning of a number to behind it.
fn skip_number(json: &str, from: usize) -> Result<usize, Unfit> {
    let (mut at, mut point, mut e) = (from, None, None);
    while let Some(byte) = json.as_bytes().get(at) {
        match byte {
            b'0'..=b'9' | b'+' | b'-' => {}
            b'.' => point = Some(at),
            b'e' | b'E' => e = Some(at),
            _ => break,
        }
        at += 1;
    }
    let unfit = |what: String| Unfit::new("out_of_range", format!("contains a number {what}"));
    let exponent = e.map_or(Some(0), |e| json[e + 1..at].parse::<i64>().ok());
    let Some(exponent) = exponent.filter(|exponent| (-EXPONENT_MAX..=EXPONENT_MAX).contains(exponent)) else {
        return Err(unfit(format!("beyond 1e±{EXPONENT_MAX}")));
    };
    // At most as many as there are bytes, so the cast keeps them.
    let written = point.map_or(0, |point| e.unwrap_or(at) - point - 1) as i64;
    if written - exponent > DECIMALS_MAX {
        return Err(unfit(format!("with {} decimals, at most {DECIMALS_MAX} are taken", written - exponent)));
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(json: &str) -> &'static str {
        // What `check` may rely on.
        serde_json::from_str::<&serde_json::value::RawValue>(json).expect("well-formed");
        check(json).map_or_else(|unfit| unfit.code, |()| "ok")
    }

    #[test]
    fn what_jsonb_can_hold_passes() {
        for json in [
            "{}",
            r#"{"head":{"x":0.5,"y":1e-3,"confidence":1E+2}}"#,
            r#"{"a":true,"b":false,"c":null,"d":"e9999"}"#,
            r#"{"a":"\\u0000","b":"\ud83d\ude00","c":"\"}]{["}"#,
            r#"{"a":[[[[[[1]]]]]]}"#,
        ] {
            assert_eq!(code(json), "ok", "{json}");
        }
    }

    #[test]
    fn as_many_decimals_as_postgres_holds_are_taken_however_they_are_written() {
        let number = |decimals: usize, exponent: &str| code(&format!(r#"{{"a":-0.{:01$}{exponent}}}"#, 1, decimals));
        for (decimals, exponent, expected) in [
            (16_383, "", "ok"),
            (16_384, "", "out_of_range"),
            (20_000, "", "out_of_range"),
            (16_076, "e-307", "ok"),
            (16_076, "e-308", "out_of_range"),
            (16_384, "E+1", "ok"),
            (16_385, "E1", "out_of_range"),
        ] {
            assert_eq!(number(decimals, exponent), expected, "{decimals} decimals {exponent}");
        }
        assert_eq!(code(&format!(r#"{{"a":1{:030000}e308}}"#, 0)), "ok");
    }

    #[test]
    fn text_that_is_no_json_does_no_harm() {
        for text in ["{", "{}}}}}", r#"{"a":"#, r#"{"a"#, r#"{"\u"#, r#"{"a":-"#, r#"{"a":1e"#, "{\u{e4}", r#"{"\"#] {
            // Whatever it says.
            let _said = check(text);
        }
    }

    #[test]
    fn what_it_cannot_hold_is_named() {
        assert_eq!(code("[]"), "invalid_type");
        assert_eq!(code("null"), "invalid_type");
        assert_eq!(code(r#"{"a":"\u0000"}"#), "nul");
        assert_eq!(code(r#"{"\u0000":1}"#), "nul");
        assert_eq!(code(r#"{"a":"\ud800"}"#), "invalid_text");
        assert_eq!(code(r#"{"a":"\ude00\ud83d"}"#), "invalid_text");
        assert_eq!(code(r#"{"a":1e400}"#), "out_of_range");
        assert_eq!(code(r#"{"a":[0.5,1e99999999999]}"#), "out_of_range");
        assert_eq!(code(r#"{"a":-1E-309}"#), "out_of_range");
        assert_eq!(code(r#"{"a":[[[[[[[[1]]]]]]]]}"#), "too_deep");
        assert_eq!(code(&format!(r#"{{"a":"{}"}}"#, "x".repeat(KEYPOINTS_BYTES_MAX))), "too_large");
    }
}
