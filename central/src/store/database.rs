//! Which database this is, and how far it has got: on every receipt, and on the answer to every heartbeat.

use common::protocol::DatabaseMark;
use sqlx::PgConnection;

const MARK: &str = "SELECT identity, \"position\" FROM database_mark()";

pub const STATEMENTS: &[&str] = &[MARK];

/// The mark as of now. Inside of a transaction that stores, it is one that only this database's future can have passed.
pub(super) async fn mark(connection: &mut PgConnection) -> Result<DatabaseMark, sqlx::Error> {
    let (identity, position): (String, i64) = sqlx::query_as(MARK).fetch_one(connection).await?;
    Ok(DatabaseMark { identity, position: position.cast_unsigned() })
}
