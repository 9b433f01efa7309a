//! The counters as text, JSON or CSV.

use super::values::StatsFormat;
use crate::base::counters::Counters;
use serde::{Serialize, Serializer};
use std::io::{self, Write};

/// Writes all counters. `protocols`: those that CSV has columns for.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    counters: &Counters,
    format: StatsFormat,
    protocols: &[&'static str],
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        StatsFormat::Text => text(counters, out),
        StatsFormat::Json => json(counters, out),
        StatsFormat::Csv => csv(counters, protocols, out),
    }
}

/// One line each: name, value, what it counts. A section of which nothing was seen is left out.
fn text(counters: &Counters, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = Vec::new();
    counters.each(|section, name, text, value| rows.push((section, name, text, value)));
    let name_width = rows
        .iter()
        .map(|(s, n, _, _)| s.len() + 1 + n.len())
        .max()
        .unwrap_or(0);
    let value_width = rows
        .iter()
        .map(|(_, _, _, v)| v.to_string().len())
        .max()
        .unwrap_or(0);
    for part in rows.chunk_by(|a, b| a.0 == b.0) {
        if part.iter().all(|(_, _, _, value)| *value == 0) {
            continue;
        }
        for (section, name, text, value) in part {
            let full = format!("{section}.{name}");
            writeln!(out, "{full:name_width$}  {value:value_width$}  {text}")?;
        }
    }
    Ok(())
}

/// One object: sections, each an object of its counters.
fn json(counters: &Counters, out: &mut dyn Write) -> io::Result<()> {
    let mut sections: Vec<(&str, Section)> = Vec::new();
    counters.each(|section, name, _, value| match sections.last_mut() {
        Some((last, counters)) if *last == section => counters.0.push((name, value)),
        _ => sections.push((section, Section(vec![(name, value)]))),
    });
    let line = serde_json::to_string(&Sections(sections))?;
    writeln!(out, "{line}")
}

/// Sections in the order of the text.
struct Sections(Vec<(&'static str, Section)>);

struct Section(Vec<(&'static str, u64)>);

impl Serialize for Sections {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, section)| (name, section)))
    }
}

impl Serialize for Section {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// A line of names and a line of values. The columns are the same whatever was seen, so that lines of several runs stand below each
/// other.
fn csv(counters: &Counters, protocols: &[&'static str], out: &mut dyn Write) -> io::Result<()> {
    let (mut names, mut values) = (Vec::new(), Vec::new());
    counters.each_with(protocols, |section, name, _, value| {
        names.push(format!("{section}.{name}"));
        values.push(value.to_string());
    });
    writeln!(out, "{}", names.join(","))?;
    writeln!(out, "{}", values.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::protocol::Name;

    fn shown(format: StatsFormat) -> String {
        let mut c = Counters::default();
        c.input.packets = 1234;
        c.tcp.lost_octets = 7;
        let mut out = Vec::new();
        write(&c, format, &["a", "b"], &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_aligned_and_leaves_out_empty_sections() {
        let text = shown(StatsFormat::Text);
        assert!(text.contains("packet records read"), "{text}");
        assert!(!text.contains("sctp."), "{text}");
        let places: Vec<_> = text
            .lines()
            .map(|l| l.find(|c: char| c.is_ascii_digit() && l.contains("  ")))
            .collect();
        assert!(!places.is_empty());
        assert!(
            text.lines()
                .any(|l| l.starts_with("input.packets ") && l.contains(" 1234  "))
        );
        assert!(
            text.lines()
                .any(|l| l.starts_with("tcp.lost_octets ") && l.contains("    7  "))
        );
    }

    #[test]
    fn json_and_csv_hold_every_counter() {
        let mut all = 0;
        Counters::default().each(|_, _, _, _| all += 1);
        let json = shown(StatsFormat::Json);
        assert_eq!(json.matches(':').count() - json.matches(":{").count(), all);
        assert!(
            json.starts_with("{\"input\":{\"files\":0,\"packets\":1234,"),
            "{json}"
        );
        assert!(json.ends_with("}}\n"));
        let csv = shown(StatsFormat::Csv);
        let lines: Vec<_> = csv.lines().map(|l| l.split(',').count()).collect();
        assert_eq!(lines, [all + 8, all + 8]);
    }

    #[test]
    fn csv_has_the_same_columns_whatever_was_seen() {
        let mut c = Counters::default();
        let columns = |c: &Counters| {
            let mut out = Vec::new();
            write(c, StatsFormat::Csv, &["a", "b"], &mut out).unwrap();
            String::from_utf8(out)
                .unwrap()
                .lines()
                .next()
                .map(str::to_owned)
        };
        let before = columns(&c);
        c.protocol(Name::of("b")).messages += 1;
        assert_eq!(columns(&c), before);
    }
}
