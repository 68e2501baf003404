//! How facts of devices and changes read, the same on every screen: glyph and word of a state, names of leaves, values.

use ratatui::style::Style;

use crate::diff::change::{Change, Kind, Risk, Severity};
use crate::engine::snapshot::{DeviceView, Health, Stream};
use crate::path::Path;
use crate::tui::draw::Draw;
use crate::tui::theme::{Glyphs, Theme};
use crate::value::Value;

/// Glyph, word and style of a stream's state.
pub fn stream(state: Stream, theme: &Theme, glyphs: &Glyphs) -> (&'static str, &'static str, Style) {
    match state {
        Stream::Connecting => (glyphs.idle, "connecting", theme.warn),
        Stream::Syncing => (glyphs.busy, "syncing", theme.warn),
        Stream::Live => (glyphs.live, "live", theme.good),
        Stream::Stale => (glyphs.wrong, "stale", theme.bad),
        Stream::Refused => (glyphs.wrong, "refused", theme.bad),
        Stream::AuthFailed => (glyphs.wrong, "auth failed", theme.bad),
    }
}

/// The age of what is known of a device: in wide steps while its stream is live, in fine ones when not.
pub fn age(device: &DeviceView, draw: &mut Draw<'_>) -> String {
    match (device.stream, device.last_update) {
        (Stream::Live, Some(then)) => draw.rough_age(then),
        (_, Some(then)) => draw.fine_age(then),
        (_, None) => "-".to_owned(),
    }
}

/// The drift of a device in a few words, never a number when nothing can be said.
pub fn drift(device: &DeviceView, theme: &Theme, glyphs: &Glyphs) -> (String, Style) {
    match &device.changes {
        None => (format!("{} unknown", glyphs.unknown), theme.warn),
        Some(changes) if changes.is_empty() => (format!("{} 0", glyphs.right), theme.good),
        Some(changes) => (format!("{} {}", glyphs.wrong, changes.len()), theme.bad),
    }
}

/// `5/5`, and whether all are there.
pub fn sessions(count: Option<(usize, usize)>, theme: &Theme) -> (String, Style) {
    match count {
        None => ("-".to_owned(), theme.dim),
        Some((up, all)) => (format!("{up}/{all}"), if up == all { theme.text } else { theme.bad }),
    }
}

/// A word of state. Only what is not well has a colour: a calm screen, and fewer bytes.
pub fn word(word: Option<&str>, theme: &Theme) -> (String, Style) {
    match word {
        None => ("-".to_owned(), theme.dim),
        Some(word @ ("active" | "up")) => (word.to_owned(), theme.text),
        Some(word) => (word.to_owned(), theme.bad),
    }
}

/// Whether nothing is wrong that is known.
pub fn well(health: &Health) -> bool {
    health.problems.is_empty()
}

/// The leaf's name inside its entry: `description`, `ipv4 mtu`, `afi-safi EVPN enabled`.
pub fn label(change: &Change) -> String {
    if change.path.origin.is_some() {
        return cli_label(&change.path);
    }
    leaf_label(&change.path)
}

/// The leaf's name below the first list entry of its path, without `config` and the containers around lists.
pub fn leaf_label(path: &Path) -> String {
    let start = path.elems.iter().position(|elem| !elem.keys.is_empty()).map_or(0, |at| at + 1);
    let rest = path.elems.get(start..).unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    for (at, elem) in rest.iter().enumerate() {
        let around_list = elem.keys.is_empty() && rest.get(at + 1).is_some_and(|next| !next.keys.is_empty());
        if around_list
            || matches!(elem.name.as_str(), "config" | "state")
            || (elem.name == "subinterface" && elem.keys.iter().all(|(_, value)| value == "0"))
        {
            continue;
        }
        words.push(elem.name.clone());
        words.extend(elem.keys.iter().map(|(_, value)| value.clone()));
    }
    if words.is_empty() { path.elems.last().map_or_else(|| "/".to_owned(), ToString::to_string) } else { words.join(" ") }
}

fn cli_label(path: &Path) -> String {
    let keys: Vec<&str> =
        path.elems.iter().flat_map(|elem| &elem.keys).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty()).collect();
    if keys.is_empty() { path.to_string() } else { keys.join(" ") }
}

/// The sign of a change and its style.
pub fn sign(kind: Kind, theme: &Theme) -> (&'static str, Style) {
    match kind {
        Kind::Create => ("+", theme.added),
        Kind::Update => ("~", theme.changed),
        Kind::Delete => ("-", theme.removed),
    }
}

/// A value on one line; what is not there is said in words.
pub fn value(value: Option<&Value>) -> String {
    match value {
        None => "(absent)".to_owned(),
        Some(Value::Str(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(value) => value.to_string(),
    }
}

/// The warning of a change, or the words of its risk.
pub fn warning(change: &Change) -> String {
    if !change.warning.is_empty() {
        return change.warning.clone();
    }
    match change.risk {
        Risk::None | Risk::Low => String::new(),
        Risk::Flap => "can flap".to_owned(),
        Risk::Outage => "can drop traffic".to_owned(),
    }
}

/// The style of a risk.
pub fn risk(risk: Risk, theme: &Theme) -> Style {
    match risk {
        Risk::None | Risk::Low => theme.dim,
        Risk::Flap => theme.warn,
        Risk::Outage => theme.bad,
    }
}

/// Glyph, word and style of a severity.
pub fn severity(severity: Severity, theme: &Theme) -> (&'static str, &'static str, Style) {
    match severity {
        Severity::Info => ("i", "info", theme.info),
        Severity::Warning => ("!", "warning", theme.warn),
        Severity::Error => ("!", "error", theme.bad),
    }
}

/// The origin of a change: object, user, time.
pub fn origin(change: &Change) -> String {
    let Some(origin) = &change.origin else {
        let words =
            if change.unmerged { "not in the branch: ours, no longer wanted there" } else { "not in intent: ours, no longer wanted" };
        return words.to_owned();
    };
    let mut text = format!("NetBox {}{}", origin.object, if change.unmerged { ", only in the branch" } else { "" });
    for part in [&origin.user, &origin.time].into_iter().flatten() {
        text.push_str(" · ");
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_named_inside_their_entry() {
        for (path, label) in [
            ("/interfaces/interface[name=Ethernet11]/config/description", "description"),
            ("/interfaces/interface[name=Vlan4091]/routed-vlan/ipv4/config/mtu", "routed-vlan ipv4 mtu"),
            (
                "/interfaces/interface[name=Ethernet1]/subinterfaces/subinterface[index=0]/ipv4/addresses/address[ip=10.0.0.1]/config/prefix-length",
                "ipv4 address 10.0.0.1 prefix-length",
            ),
            ("/system/config/hostname", "system hostname"),
            ("/interfaces/interface[name=Ethernet1]", "interface[name=Ethernet1]"),
        ] {
            assert_eq!(leaf_label(&Path::parse(path).unwrap()), label);
        }
    }
}
