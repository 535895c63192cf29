//! The rules in force: this edge's own, from its configuration, or a set that headquarters made for the site.
//!
//! ```text
//! heartbeat's answer ─▶ follow: read, check ─▶ kept (disk) ─▶ floor: engine swaps ─▶ Current ─▶ heartbeat, page, CLI
//! ```
//!
//! Headquarters' set wins over the configuration for as long as headquarters has one; it is on our disk before it is in
//! force, so an edge without WAN starts with it again. What a rule is, and when it can be used, is [`common::rules`]'s
//! to say, on both sides alike.

mod follow;
pub mod kept;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use common::event::Hundredths;
use common::protocol::RulesReport;
pub use common::rules::{Rule, RuleConfig, RuleError, RuleSet, ScopeKind, check};
use uuid::Uuid;

pub use follow::{Follower, Swap};

/// Which set of headquarters is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    pub version: u64,
    pub set_id: Uuid,
    /// The set says that each edge goes by its own configuration.
    pub own: bool,
}

/// The rules in force.
#[derive(Debug, Clone, PartialEq)]
pub struct InForce {
    /// `None`: headquarters has none for us.
    pub followed: Option<Followed>,
    /// As written.
    pub configs: Vec<RuleConfig>,
    pub rules: Vec<Rule>,
}

impl InForce {
    /// # Errors
    /// If the configuration's rules cannot be used.
    pub fn own(configs: &[RuleConfig]) -> Result<Self, RuleError> {
        Ok(Self { followed: None, configs: configs.to_vec(), rules: check(configs)? })
    }

    /// As `set` says, where `own` is what the configuration has.
    ///
    /// # Errors
    /// In words, if a rule of the set cannot be used here.
    pub fn of(set: &RuleSet, own: &Self) -> Result<Self, String> {
        let read = set.read()?;
        let followed = Followed { version: set.version, set_id: set.set_id, own: read.is_none() };
        let (configs, rules) = read.unwrap_or_else(|| (own.configs.clone(), own.rules.clone()));
        Ok(Self { followed: Some(followed).filter(|followed| !followed.set_id.is_nil()), configs, rules })
    }

    /// The score from which a second counts as at risk: the first rule's.
    pub fn at_risk_from(&self) -> Hundredths {
        self.rules.first().map_or(Hundredths::from_raw(u16::MAX), |rule| rule.threshold)
    }

    /// The score from which an observation's keypoints may be wanted.
    pub fn keypoints_from(&self) -> Hundredths {
        self.rules.iter().map(|rule| rule.threshold).min().unwrap_or(Hundredths::from_raw(u16::MAX))
    }

    /// The version of headquarters' set, if the rules are from there.
    pub fn version(&self) -> Option<u64> {
        self.followed.filter(|followed| !followed.own).map(|followed| followed.version)
    }
}

/// Whose rules they are, in words.
impl fmt::Display for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.followed {
            None => f.write_str("this edge's configuration"),
            Some(Followed { version, own: true, .. }) => {
                write!(f, "this edge's configuration, as headquarters' version {version} wants it")
            }
            Some(Followed { version, .. }) => write!(f, "headquarters' version {version}"),
        }
    }
}

/// Where everybody looks for the rules in force.
#[derive(Debug)]
pub struct Current {
    now: RwLock<Arc<InForce>>,
    trouble: RwLock<Option<Trouble>>,
}

/// Why the rules in force are not the newest of headquarters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The set that cannot be used here, if that is why.
    pub refused: Option<Uuid>,
    pub words: String,
}

impl Current {
    pub fn new(start: InForce, trouble: Option<Trouble>) -> Self {
        Self { now: RwLock::new(Arc::new(start)), trouble: RwLock::new(trouble) }
    }

    pub fn get(&self) -> Arc<InForce> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// For the floor, which is the one that changes them.
    pub fn set(&self, rules: Arc<InForce>) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, trouble: Option<Trouble>) {
        *self.trouble.write().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// What health says of it.
    pub fn health(&self) -> Option<String> {
        self.trouble().map(|trouble| format!("{}; the rules in force are {}", trouble.words, self.get()))
    }

    /// What headquarters is told.
    pub fn report(&self) -> RulesReport {
        let (now, trouble) = (self.get(), self.trouble());
        RulesReport {
            version: now.followed.map(|followed| followed.version),
            set_id: now.followed.map(|followed| followed.set_id),
            refused: trouble.as_ref().and_then(|trouble| trouble.refused),
            error: trouble.map(|trouble| trouble.words),
        }
    }
}

#[cfg(test)]
mod tests;
