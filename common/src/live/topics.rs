//! What a screen may ask for.

/// One kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Alerts that are new or have changed.
    Alerts,
    /// The latest event of each camera.
    Snapshots,
    /// How the edge is.
    Health,
}

impl Topic {
    pub const ALL: [Self; 3] = [Self::Alerts, Self::Snapshots, Self::Health];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Snapshots => "snapshots",
            Self::Health => "health",
        }
    }
}

/// Some of them, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topics([bool; Topic::ALL.len()]);

impl Topics {
    pub const ALL: Self = Self([true; Topic::ALL.len()]);

    /// Reads a list such as `alerts,health`.
    ///
    /// # Errors
    /// A sentence that names what is no topic, and those there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let names = Topic::ALL.map(Topic::as_str).join(", ");
        let mut topics = [false; Topic::ALL.len()];
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let topic = Topic::ALL.into_iter().find(|topic| topic.as_str() == name);
            let topic = topic.ok_or_else(|| format!("topics: `{name}` is none; there are {names}"))?;
            topics[topic as usize] = true;
        }
        if topics.contains(&true) {
            Ok(Self(topics))
        } else {
            Err(format!("topics: name at least one of {names}, separated by commas, or leave it out for all"))
        }
    }

    pub const fn has(self, topic: Topic) -> bool {
        self.0[topic as usize]
    }

    /// The sum of what each of these topics counts.
    pub fn total(self, counts: &[u64; Topic::ALL.len()]) -> u64 {
        counts.iter().zip(self.0).filter(|(_, wanted)| *wanted).map(|(count, _)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_or_named() {
        let some = Topics::parse(" alerts,health").expect("valid");
        assert_eq!(Topic::ALL.map(|topic| some.has(topic)), [true, false, true]);
        assert_eq!(some.total(&[1, 10, 100]), 101);
        assert!(Topics::parse("alerts,alarms").is_err_and(|error| error.contains("`alarms`")));
        assert!(Topics::parse(",").is_err_and(|error| error.contains("snapshots")));
    }
}
