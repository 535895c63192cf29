//! Characters that nobody would see, and those that change how their neighbours are shown: with them people could not tell a
//! name from another, and would read something else than what was written. Neither names nor what people say may have them.

/// Whether `c` is a control character, has no width, or turns the direction of the text around it (Unicode's `Cc`, `Cf`
/// and line and paragraph separators, as far as they are not shown, and the fillers that look like nothing).
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            // Zero width, marks of direction; separators, embeddings and overrides; isolates and what is deprecated.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            // Tags. Selectors of variants are shown: as another form of the character before them.
            | '\u{e0000}'..='\u{e007f}')
}

/// The first character of a name that nobody would see.
pub fn hidden(name: &str) -> Option<char> {
    name.chars().find(|c| is_hidden(*c))
}

/// The same of what somebody said, such as a note, which may have several lines.
pub fn hidden_in_lines(said: &str) -> Option<char> {
    said.chars().find(|c| is_hidden(*c) && *c != '\n')
}

/// What is wrong with a text that has such a character, and the fix; it goes behind what the text is called.
pub fn has_hidden(c: char) -> String {
    format!("has {c:?} in it, which nobody would see; leave it out")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_found_and_what_people_write_is_not() {
        for c in [
            '\0', '\n', '\u{7f}', '\u{85}', '\u{200b}', '\u{200d}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}',
            '\u{feff}',
        ] {
            assert_eq!(hidden(&format!("Dock{c}4")), Some(c), "{c:?}");
        }
        for name in [
            "Dock 4",
            "Kühlhaus – Süd",
            "Łódź №2",
            "東倉庫",
            "مستودع",
            "Halle 1 (Anlieferung)",
            "Zone\u{a0}7",
            "\u{26a0}\u{fe0f} Rampe",
        ] {
            assert_eq!(hidden(name), None, "{name}");
        }
    }

    #[test]
    fn what_people_say_may_have_several_lines_and_nothing_else_that_hides() {
        assert_eq!(hidden_in_lines("seen,\ngoing"), None);
        for c in ['\0', '\r', '\t', '\u{200b}', '\u{202e}'] {
            assert_eq!(hidden_in_lines(&format!("seen,\n{c}going")), Some(c), "{c:?}");
        }
    }
}
