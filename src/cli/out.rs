//! The only place that writes to stdout and stderr. What devices and NetBox say is cleaned on the way: no control or
//! bidirectional character reaches the terminal. A reader that went away (`| head`) ends the output, not the program.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

use super::Failure;

/// Text without the characters that steer a terminal: C0 (but newline and tab), C1, bidirectional controls.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if is_steering(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn is_steering(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || is_bidi(c)
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Data: to stdout, with a newline at the end.
pub fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    let _ = write!(out, "{}{end}", clean(text)).and_then(|()| out.flush());
}

/// Data as JSON on one line, or indented.
pub fn json(value: &impl Serialize, pretty: bool) -> Result<(), Failure> {
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    let text = text.map_err(|error| Failure::new(format!("no JSON: {error}")))?;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", inert(&text)).and_then(|()| out.flush());
    Ok(())
}

/// JSON with the characters that steer a terminal escaped: the same document to a parser. (C0 is escaped already.)
fn inert(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_steering(c) {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

/// Talk: to stderr.
pub fn talk(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", clean(text));
}

/// How far a read of NetBox is: one line a look, to a person only.
pub fn reading(kinds: crate::engine::snapshot::Reading) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let one = |(kind, got, of): &(&str, usize, Option<usize>)| format!("{kind} {got}{}", of.map(|of| format!("/{of}")).unwrap_or_default());
    let under_way = kinds.iter().filter(|(_, got, of)| of.is_none_or(|of| *got < of)).map(one).collect::<Vec<_>>();
    let done: usize = kinds.iter().map(|(_, got, _)| got).sum();
    talk(&format!("reading NetBox: {done} objects, {}", under_way.join(", ")));
}

/// What went wrong: `error: …`, and `hint: …` when there is a next step.
pub fn failure(failure: &Failure) {
    if !failure.message.is_empty() {
        talk(&format!("error: {}", failure.message));
    }
    if !failure.hint.is_empty() {
        talk(&format!("hint: {}", failure.hint));
    }
}

/// Whether a person can be asked.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks on stderr and reads one line.
pub fn ask(question: &str) -> String {
    let _ = write!(std::io::stderr().lock(), "{} ", clean(question)).and_then(|()| std::io::stderr().flush());
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
    line.trim().to_owned()
}

/// Rows in columns: the first is the head. The last column is not padded.
pub fn table(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A time, as people read it: `2026-03-21 12:00:05`, UTC.
pub fn time(millis: u64) -> String {
    i64::try_from(millis)
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        .map_or_else(|| "-".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        let hostile = "a\u{1b}]52;c;x\u{7}b\u{9b}31mc\u{202e}d\r";
        assert!(clean(hostile).chars().all(|c| !is_steering(c)));
        let json = serde_json::to_string(&hostile).unwrap();
        let inert = inert(&json);
        assert!(inert.chars().all(|c| !is_steering(c)), "{inert}");
        assert_eq!(serde_json::from_str::<String>(&inert).unwrap(), hostile);
    }

    #[test]
    fn columns_line_up() {
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(table(&[row("DEVICE", "STATE"), row("leaf1", "live")]), "DEVICE  STATE\nleaf1   live\n");
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(time(1_774_080_049_000), "2026-03-21 08:00:49");
    }
}
