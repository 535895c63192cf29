//! What a screen may ask for.

use std::fmt;
use std::marker::PhantomData;

/// One kind of change: an enum of few.
pub trait Topic: Copy + Eq + fmt::Debug + Send + Sync + 'static {
    /// At most [`TOPICS_MAX`].
    const ALL: &'static [Self];

    /// As it is asked for, and named in a change.
    fn as_str(self) -> &'static str;

    /// Its place in `ALL`.
    fn index(self) -> usize;
}

pub(super) const TOPICS_MAX: usize = 8;

/// Something per topic.
pub(super) type Counts = [u64; TOPICS_MAX];

/// Some topics, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topics<T> {
    wanted: [bool; TOPICS_MAX],
    of: PhantomData<T>,
}

impl<T: Topic> Topics<T> {
    pub const ALL: Self = Self { wanted: [true; TOPICS_MAX], of: PhantomData };

    /// Reads a list such as `alerts,health`.
    ///
    /// # Errors
    /// A sentence that names what is no topic, and those there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let names = || T::ALL.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join(", ");
        let mut wanted = [false; TOPICS_MAX];
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let topic = T::ALL.iter().find(|topic| topic.as_str() == name);
            let topic = topic.ok_or_else(|| format!("topics: `{name}` is none; there are {}", names()))?;
            wanted[topic.index()] = true;
        }
        if wanted.contains(&true) {
            Ok(Self { wanted, of: PhantomData })
        } else {
            Err(format!("topics: name at least one of {}, separated by commas, or leave it out for all", names()))
        }
    }

    pub fn has(self, topic: T) -> bool {
        self.wanted[topic.index()]
    }

    /// The sum of what each of these topics counts.
    pub(super) fn total(self, counts: &Counts) -> u64 {
        counts.iter().zip(self.wanted).filter(|(_, wanted)| *wanted).map(|(count, _)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::hub::tests::Subject;
    use super::*;

    #[test]
    fn topics_are_read_or_named() {
        let some = Topics::<Subject>::parse(" one,three").expect("valid");
        assert_eq!(Subject::ALL.iter().map(|topic| some.has(*topic)).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(some.total(&[1, 10, 100, 0, 0, 0, 0, 0]), 101);
        assert!(Topics::<Subject>::parse("one,four").is_err_and(|error| error.contains("`four`")));
        assert!(Topics::<Subject>::parse(",").is_err_and(|error| error.contains("two")));
    }
}
