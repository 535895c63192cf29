//! Examples from the shipped configuration, which shows every key, most of them behind a `#`.

/// The text of the shipped file.
pub struct Reference(pub &'static str);

impl Reference {
    /// All settings, as section and line. The section of `[[site.zones]]` is `site.zones`.
    fn settings(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let mut section = "";
        self.0.lines().filter_map(move |line| {
            // Prose has a blank after the sign.
            let line = line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '#'])).unwrap_or(line);
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_start_matches('[').trim_end_matches(']');
                return None;
            }
            line.contains(" = ").then_some((section, line))
        })
    }

    /// How `section.key` is written, as a line.
    pub fn example(&self, path: &str) -> Option<&'static str> {
        let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
        self.settings().find_map(|(s, line)| (s == section && key_of(line) == key).then_some(line))
    }

    /// Other sections that have a key of this name; "" is the top.
    pub fn sections_with(&self, key: &str) -> Vec<&'static str> {
        let sections = self.settings().filter(|(_, line)| key_of(line) == key).map(|(section, _)| section);
        sections.collect()
    }
}

fn key_of(line: &str) -> &str {
    line.split(" = ").next().unwrap_or_default()
}
