//! A plan as text, the way an operator of terraform reads one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::model::{Plan, Step};
use super::order::natural;
use crate::diff::change::{Change, Kind, Risk, Severity};
use crate::diff::construct::{Construct, entry, field};
use crate::value::Value;

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Nothing but ASCII: every other character of a value is escaped too.
    pub ascii: bool,
}

/// The plan for a terminal of any kind; strings of devices and NetBox are cleaned of control characters.
pub fn render(plan: &Plan) -> String {
    render_with(plan, Style::default())
}

/// As [`render`], in another style.
pub fn render_with(plan: &Plan, style: Style) -> String {
    let mut out = String::new();
    for unknown in &plan.unknown {
        line(&mut out, &format!("? {}: {} - {}", unknown.device, unknown.state, unknown.reason), style);
    }
    if !plan.unknown.is_empty() {
        out.push('\n');
    }
    let mut devices: BTreeMap<_, Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        devices.entry(natural(&step.device)).or_default().push(step);
    }
    for steps in devices.values() {
        for step in steps {
            device(&mut out, step, plan.waves.len(), style);
        }
    }
    for block in &plan.blocked {
        line(&mut out, &format!("BLOCKED {} on {}: {}", block.name, block.device, block.reason), style);
    }
    if !plan.blocked.is_empty() {
        out.push('\n');
    }
    for finding in plan.findings.iter().filter(|finding| finding.severity != Severity::Info) {
        let word = if finding.severity == Severity::Error { "error" } else { "warning" };
        let hint = if finding.hint.is_empty() { String::new() } else { format!(" ({})", finding.hint) };
        let device = finding.device.as_ref().map_or_else(String::new, |device| format!("{device}: "));
        line(&mut out, &format!("{word}: {device}{}{hint}", finding.message), style);
    }
    for finding in plan.findings.iter().filter(|finding| finding.severity == Severity::Info) {
        line(&mut out, &format!("note: {}", finding.message), style);
    }
    if !plan.findings.is_empty() {
        out.push('\n');
    }
    if plan.waves.len() > 1 {
        for (at, wave) in plan.waves.iter().enumerate() {
            let names: Vec<&str> = wave.iter().map(AsRef::as_ref).collect();
            line(&mut out, &format!("wave {}: {}", at + 1, names.join(" ")), style);
        }
        out.push('\n');
    }
    line(&mut out, &summary(plan), style);
    out
}

/// `Plan: 1 to create, 2 to update, 0 to delete on 2 devices in 2 waves`, or why there is nothing to do.
pub fn summary(plan: &Plan) -> String {
    let count = |kind: Kind| plan.changes().filter(|(_, change)| change.kind == kind).count();
    let (creates, updates, deletes) = (count(Kind::Create), count(Kind::Update), count(Kind::Delete));
    let devices: std::collections::BTreeSet<&Arc<str>> = plan.steps.iter().map(|step| &step.device).collect();
    let unknown = match plan.unknown.len() {
        0 => String::new(),
        1 => "; 1 device unknown".to_owned(),
        many => format!("; {many} devices unknown"),
    };
    if creates + updates + deletes == 0 {
        let nothing = if plan.in_sync { "No changes. Desired and observed agree" } else { "Nothing to do: every change is held back" };
        return format!("{nothing}{unknown}");
    }
    let blocked = if plan.blocked.is_empty() { String::new() } else { format!("; {} blocked", plan.blocked.len()) };
    let number = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    format!(
        "Plan: {creates} to create, {updates} to update, {deletes} to delete on {} in {}{blocked}{unknown}",
        number(devices.len(), "device"),
        number(plan.waves.len(), "wave")
    )
}

fn device(out: &mut String, step: &Step, waves: usize, style: Style) {
    let changes = if step.changes.len() == 1 { "1 change".to_owned() } else { format!("{} changes", step.changes.len()) };
    let wave = if waves > 1 { format!(", wave {} of {waves}", step.wave) } else { String::new() };
    line(out, &format!("{}: {changes}{wave}", step.device), style);
    if waves > 1 {
        line(out, &format!("  # {}", step.why), style);
    }
    let mut shown: Option<Construct> = None;
    let mut last_entry = String::new();
    for change in &step.changes {
        if shown != Some(change.construct) {
            line(out, &format!("  {}", change.construct.title()), style);
            shown = Some(change.construct);
            last_entry.clear();
        }
        let is_entry = is_list_entry(change);
        let head = if is_entry { entry(&change.path) } else { change.entry.clone() };
        if head != last_entry && !is_entry {
            // The entry itself is new when it, and not one around or inside it, is what the device has nothing of.
            let new = change.new_entry.as_ref().is_some_and(|new| new.parent().is_some_and(|above| entry(&above) != head));
            line(out, &format!("    {}{head}", if new { "+ " } else { "" }), style);
            last_entry.clone_from(&head);
        }
        line(out, &row(change, is_entry, style), style);
    }
    out.push('\n');
}

fn is_list_entry(change: &Change) -> bool {
    change.path.origin.is_none() && change.path.elems.last().is_some_and(|elem| !elem.keys.is_empty())
}

fn row(change: &Change, is_entry: bool, style: Style) -> String {
    let arrow = if style.ascii { "->" } else { "→" };
    let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), shown);
    let what = field(&change.path);
    let mut text = match change.kind {
        Kind::Create => format!("      + {what} = {}", value(&change.desired)),
        Kind::Update => format!("      ~ {what}: {} {arrow} {}", value(&change.observed), value(&change.desired)),
        Kind::Delete if is_entry => format!("    - {}", change.entry),
        Kind::Delete => format!("      - {what} (was {})", value(&change.observed)),
    };
    if change.unmerged {
        text.push_str("  (only in the branch)");
    }
    if !change.warning.is_empty() {
        _ = write!(text, "  ! {}", change.warning);
    } else if change.risk >= Risk::Flap {
        text.push_str("  !");
    }
    text
}

fn shown(value: &Value) -> String {
    match value {
        Value::Str(text) if text.is_empty() => "\"\"".to_owned(),
        Value::Str(text) if text.contains(' ') => format!("\"{text}\""),
        other => other.to_string(),
    }
}

/// Writes one line; whatever a device or NetBox put into it, it stays one line and harmless.
fn line(out: &mut String, text: &str, style: Style) {
    for c in text.chars() {
        let bidi = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}');
        if c.is_control() || bidi || (style.ascii && !c.is_ascii()) {
            _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    while out.ends_with(' ') {
        out.pop();
    }
    out.push('\n');
}
