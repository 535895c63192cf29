//! What a screen of the floor may ask for.

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

impl common::live::Topic for Topic {
    const ALL: &'static [Self] = &[Self::Alerts, Self::Snapshots, Self::Health];

    fn as_str(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Snapshots => "snapshots",
            Self::Health => "health",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// Some of them, at least one.
pub type Topics = common::live::Topics<Topic>;
