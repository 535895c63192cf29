//! What callers may do: scopes, and the roles of people, which are sets of them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One kind of thing that a caller may do. A token has a few, a person has those of the role.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at sites, alerts, figures of groups.
    Read,
    /// Acknowledge and silence alerts, decide about dead letters, set rules and names; look at single events.
    Act,
    /// See who it was: worker ids. Each such view is in the audit.
    People,
    /// Users, tokens, the audit.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::Read, Self::Act, Self::People, Self::Admin];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Act => "act",
            Self::People => "people",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of scopes; a list in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(into = "Vec<Scope>", from = "Vec<Scope>")]
#[schema(value_type = Vec<Scope>)]
pub struct Scopes(u8);

impl Scopes {
    pub const fn of(scopes: &[Scope]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < scopes.len() {
            bits |= scopes[i].bit();
            i += 1;
        }
        Self(bits)
    }

    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn list(self) -> Vec<Scope> {
        Scope::ALL.into_iter().filter(|scope| self.has(*scope)).collect()
    }

    /// As Postgres holds them.
    pub fn texts(self) -> Vec<&'static str> {
        self.list().into_iter().map(Scope::as_str).collect()
    }

    /// Of what Postgres holds. What this version does not know is nothing.
    pub fn of_texts(texts: &[String]) -> Self {
        texts.iter().filter_map(|text| Scope::parse(text)).collect::<Vec<_>>().into()
    }
}

impl From<Vec<Scope>> for Scopes {
    fn from(scopes: Vec<Scope>) -> Self {
        Self::of(&scopes)
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.list()
    }
}

/// What a person is at headquarters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Acts on alerts, sets rules, and may see who it was.
    SafetyManager,
    /// Acts, and manages users and tokens; does not see who it was.
    Administrator,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Viewer, Self::SafetyManager, Self::Administrator];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::SafetyManager => "safety-manager",
            Self::Administrator => "administrator",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    pub const fn scopes(self) -> Scopes {
        match self {
            Self::Viewer => Scopes::of(&[Scope::Read]),
            Self::SafetyManager => Scopes::of(&[Scope::Read, Scope::Act, Scope::People]),
            Self::Administrator => Scopes::of(&[Scope::Read, Scope::Act, Scope::Admin]),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_json_on_the_command_line_and_in_postgres() {
        use clap::ValueEnum as _;
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            assert_eq!(serde_json::to_value(role).expect("JSON"), role.as_str());
            assert_eq!(role.to_possible_value().expect("shown").get_name(), role.as_str());
        }
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
            assert_eq!(serde_json::to_value(scope).expect("JSON"), scope.as_str());
        }
    }

    #[test]
    fn who_manages_users_does_not_see_workers_and_only_a_safety_manager_does() {
        let who = |scope| Role::ALL.into_iter().filter(|role| role.scopes().has(scope)).collect::<Vec<_>>();
        assert_eq!(who(Scope::People), [Role::SafetyManager]);
        assert_eq!(who(Scope::Admin), [Role::Administrator]);
        assert_eq!(who(Scope::Act), [Role::SafetyManager, Role::Administrator]);
        assert_eq!(who(Scope::Read), Role::ALL);
    }

    #[test]
    fn a_set_comes_back_as_it_went() {
        let set = Scopes::of(&[Scope::Admin, Scope::Read]);
        assert_eq!(serde_json::to_string(&set).expect("JSON"), r#"["read","admin"]"#);
        let texts: Vec<String> = set.texts().into_iter().map(str::to_owned).collect();
        assert_eq!(Scopes::of_texts(&texts), set);
        assert!(Scopes::of_texts(&["fly".to_owned()]).is_empty());
    }
}
