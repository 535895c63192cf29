//! What was measured: a table for people, JSON for comparison.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Row {
    part: &'static str,
    name: String,
    value: f64,
    unit: &'static str,
    /// What it is a share of, and what was aimed at.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Debug, Default, Serialize)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    pub fn add(&mut self, part: &'static str, name: impl Into<String>, value: f64, unit: &'static str) {
        self.row(part, name.into(), value, unit, None);
    }

    /// A figure with what it is measured by, such as "61 % of raw XADD (aim 60 %)".
    pub fn add_noted(
        &mut self,
        part: &'static str,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        note: String,
    ) {
        self.row(part, name.into(), value, unit, Some(note));
    }

    fn row(&mut self, part: &'static str, name: String, value: f64, unit: &'static str, note: Option<String>) {
        writeln!(std::io::stderr(), "  {part}: {name}: {value:.1} {unit} {}", note.as_deref().unwrap_or_default()).ok();
        self.rows.push(Row { part, name, value, unit, note });
    }

    pub fn print(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let mut part = "";
        for row in &self.rows {
            if row.part != part {
                part = row.part;
                writeln!(out, "\n{part}")?;
            }
            let note = row.note.as_deref().unwrap_or_default();
            writeln!(out, "  {:<width$}  {:>10}  {:<9} {note}", row.name, figure(row.value), row.unit)?;
        }
        Ok(())
    }

    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_vec_pretty(self).context("write the figures")?;
        std::fs::write(path, json).with_context(|| format!("write {}", path.display()))?;
        writeln!(std::io::stdout(), "\nAlso in {}", path.display()).context("print")
    }
}

/// Three digits are as much as a shared machine can tell.
fn figure(value: f64) -> String {
    match value {
        v if v >= 1_000.0 => format!("{:.0}", (v / 100.0).round() * 100.0),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// The `share`th part from below, 0 to 1.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1));
    sorted.get(at - 1).copied().unwrap_or(f64::NAN)
}
