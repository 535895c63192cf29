//! Answers as CSV (RFC 4180), streamed: page after page is read and sent, so that a long one takes no more memory than a
//! short one.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tracing::warn;

use crate::http::ApiError;
use crate::store::StoreError;

/// Rows read at once.
pub const PAGE_ROWS: i64 = 1_000;

/// One line, cell by cell.
pub type Row = Vec<String>;

/// The lines of an answer, as they are read. Boxed, because what waits for a page is large, and every layer that it is
/// handed through would copy it.
pub type Pages = BoxStream<'static, Result<Vec<Row>, StoreError>>;

/// Pages of [`PAGE_ROWS`] rows, until one is not full. `read` is given where to read from, and says where to go on.
pub fn pages<P, F>(start: P, mut read: impl FnMut(P) -> F + Send + 'static) -> Pages
where
    P: Send + 'static,
    F: Future<Output = Result<(Vec<Row>, P), StoreError>> + Send + 'static,
{
    let pages = stream::unfold(Some(start), move |at| {
        let page = at.map(&mut read);
        async move {
            match page?.await {
                Ok((rows, next)) => {
                    let full = i64::try_from(rows.len()) == Ok(PAGE_ROWS);
                    Some((Ok(rows), full.then_some(next)))
                }
                Err(error) => Some((Err(error), None)),
            }
        }
    });
    pages.boxed()
}

/// The same of what is in memory anyway, turned into text a page at a time.
pub fn pages_of<T: Send + 'static>(rows: Vec<T>, row: impl Fn(&T) -> Row + Send + 'static) -> Pages {
    let mut rows = rows.into_iter();
    let pages = std::iter::from_fn(move || {
        let page: Vec<Row> = rows.by_ref().take(PAGE_ROWS as usize).map(|one| row(&one)).collect();
        (!page.is_empty()).then_some(Ok(page))
    });
    stream::iter(pages).boxed()
}

/// The answer to somebody who asked for a file of this name. Waits for the first page, so that what goes wrong at once
/// has its status; what goes wrong later breaks the connection off, so that nobody takes a part for the whole.
///
/// # Errors
/// Those of the first page.
pub async fn answer(name: &str, header: &[&str], mut pages: Pages) -> Result<Response, ApiError> {
    let first = pages.next().await.transpose()?.unwrap_or_default();
    let header = header.iter().map(|&cell| cell.to_owned()).collect();
    let head: Vec<Row> = std::iter::once(header).chain(first).collect();
    let rest = pages.map(|page| match page {
        Ok(rows) => Ok(text(&rows)),
        Err(error) => {
            let error = anyhow::Error::new(error);
            warn!("A CSV answer broke off: {error:#}");
            Err(std::io::Error::other(error))
        }
    });
    let body = Body::from_stream(stream::iter([Ok(text(&head))]).chain(rest));
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, body).into_response())
}

fn text(rows: &[Row]) -> Bytes {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.iter().map(|cell| harmless(cell))).expect("memory, and all rows have the same cells");
    }
    writer.into_inner().expect("memory").into()
}

/// Spreadsheets take a cell that begins so for a formula, whoever wrote it. A number is none.
pub fn harmless(cell: &str) -> Vec<u8> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err() {
        return format!("'{cell}").into_bytes();
    }
    cell.as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Row {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn cells_are_quoted_where_they_must_be_and_are_no_formulas() {
        let rows = [row(&["1", "said \"no\", twice", "two\nlines"]), row(&["-1.5", "=HYPERLINK(1)", "-x"])];
        assert_eq!(
            text(&rows),
            "1,\"said \"\"no\"\", twice\",\"two\nlines\"\r\n-1.5,'=HYPERLINK(1),'-x\r\n".as_bytes()
        );
    }

    #[tokio::test]
    async fn pages_are_read_until_one_is_not_full() {
        let read = |at: i64| async move {
            let rows = if at < 2 { PAGE_ROWS } else { 3 };
            Ok(((0..rows).map(|n| row(&[&at.to_string(), &n.to_string()])).collect(), at + 1))
        };
        let answer = answer("x.csv", &["page", "row"], pages(0, read)).await.expect("an answer");
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("whole");
        let lines = std::str::from_utf8(&body).expect("text").lines().count();
        assert_eq!(i64::try_from(lines).expect("few"), 1 + 2 * PAGE_ROWS + 3);
    }

    #[tokio::test]
    async fn a_failure_later_on_breaks_it_off() {
        let read = |at: i64| async move {
            match at {
                0 => Ok((vec![row(&["x"]); usize::try_from(PAGE_ROWS).expect("small")], 1)),
                _ => Err(StoreError::Timeout),
            }
        };
        let answer = answer("x.csv", &["cell"], pages(0, read)).await.expect("it began well");
        axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect_err("a part is not the whole");
    }
}
