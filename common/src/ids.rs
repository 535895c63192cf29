//! Identities as types of their own, so that a zone can never be passed where a warehouse is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// One ergonomic snapshot, named by the camera. With warehouse and event time it is the key in Postgres.
    EventId
);
uuid_id!(
    /// A site.
    WarehouseId
);
uuid_id!(
    /// A part of a warehouse with its own risk picture.
    ZoneId
);
uuid_id!(
    /// A person. Personal data: never in a log line or a metric.
    WorkerId
);
uuid_id!(
    /// One on-prem box. A site may have several.
    EdgeId
);
uuid_id!(
    /// One run of an edge's numbering: random at each start, and again after a write whose outcome is unknown.
    Epoch
);
uuid_id!(
    /// One batch on its way to central; the same across all its retries.
    BatchId
);

uuid_id!(
    /// One alert: an episode under a rule.
    AlertId
);
uuid_id!(
    /// One thing somebody said about alerts; made by the client that says it.
    FactId
);

impl Epoch {
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl BatchId {
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}
