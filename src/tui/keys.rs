//! The key table: one row says on which screen which keys do what, under which name, and how dangerous that is. Handling,
//! footer, `?` help, `:` palette and the README's table all read it; there is no second list of keys.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::app::{Model, Msg};
use super::list::Move;
use super::overlay::{self, Overlay};
use super::screen::{self, Act, Screen};

/// A key as the table spells it: `j`, `A`, `space`, `enter`, `ctrl-z`, `page-down`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub String);

impl Key {
    /// The character it types, if it types one.
    pub fn typed(&self) -> Option<char> {
        if self.0 == "space" {
            return Some(' ');
        }
        let mut chars = self.0.chars();
        chars.next().filter(|_| chars.next().is_none())
    }
}

/// Where a row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// On every screen, unless the screen says otherwise.
    Everywhere,
    /// On one screen.
    On(Screen),
    /// While something is typed: other keys type.
    Prompt,
    /// While something is confirmed: other keys type.
    Confirm,
    /// While help is open: other keys filter it.
    Help,
}

impl Context {
    /// What the operator calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::On(screen) => screen.title(),
            Self::Prompt => "prompt",
            Self::Confirm => "confirmation",
            Self::Help => "help",
        }
    }
}

/// What a key can do at worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// Looks only.
    None,
    /// Changes what would be committed.
    Stages,
    /// Opens the way to a write; never writes by itself.
    Writes,
}

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// Where.
    pub context: Context,
    /// Which keys.
    pub keys: &'static [&'static str],
    /// One or two words for the footer, and the command's name in the palette.
    pub name: &'static str,
    /// What it does, for help.
    pub words: &'static str,
    /// What is done.
    pub msg: Msg,
    /// How dangerous.
    pub danger: Danger,
}

/// A row that only looks.
pub const fn row(context: Context, keys: &'static [&'static str], name: &'static str, msg: Msg, words: &'static str) -> Row {
    Row { context, keys, name, words, msg, danger: Danger::None }
}

/// A row that stages.
pub const fn stages(context: Context, keys: &'static [&'static str], name: &'static str, msg: Msg, words: &'static str) -> Row {
    Row { context, keys, name, words, msg, danger: Danger::Stages }
}

/// A row that leads to a write.
pub const fn writes(context: Context, keys: &'static [&'static str], name: &'static str, msg: Msg, words: &'static str) -> Row {
    Row { context, keys, name, words, msg, danger: Danger::Writes }
}

const E: Context = Context::Everywhere;

/// What holds on every screen.
pub static EVERYWHERE: &[Row] = &[
    row(E, &["?"], "help", Msg::Help, "all keys of this screen, filtered by typing"),
    row(E, &[":"], "command", Msg::Palette, "command palette, with completion and history"),
    row(E, &["/"], "filter", Msg::Filter, "show only rows with these words (!word: without it, ~letters: fuzzy)"),
    row(E, &["esc"], "back", Msg::Back, "one level out: filter, pane, screen"),
    row(E, &["q"], "back or quit", Msg::BackOrQuit, "one level out; on the Fabric screen: quit"),
    row(E, &["Q", "ctrl-c"], "quit", Msg::Quit, "quit; asks first while a commit runs"),
    row(E, &["ctrl-z"], "suspend", Msg::Suspend, "suspend to the shell, fg comes back"),
    row(E, &["ctrl-l"], "repaint", Msg::Repaint, "draw everything again"),
    row(E, &["1"], "fabric", Msg::Go(Screen::Fabric), "Fabric: every device at a glance"),
    row(E, &["2"], "device", Msg::Go(Screen::Device), "Device: intent against state"),
    row(E, &["3"], "yang", Msg::Go(Screen::Yang), "YANG: the schema with live and desired values"),
    row(E, &["4", "p"], "plan", Msg::Go(Screen::Plan), "Plan: waves, steps and the exact Set requests"),
    row(E, &["5"], "commit view", Msg::Go(Screen::Commit), "Commit: progress and outcome of each step"),
    row(E, &["6"], "log", Msg::Go(Screen::Log), "Log: every Get, Set and NetBox call"),
    row(E, &["7"], "history", Msg::Go(Screen::History), "History: what happened, newest last"),
    row(E, &["8", "i"], "intent", Msg::Go(Screen::Intent), "Intent: what is wrong in NetBox, with its objects"),
    row(E, &["up", "k"], "up", Msg::Act(Act::Move(Move::Up)), "one row up"),
    row(E, &["down", "j"], "down", Msg::Act(Act::Move(Move::Down)), "one row down"),
    row(E, &["ctrl-u", "page-up"], "half page up", Msg::Act(Act::Move(Move::HalfUp)), "half a page up"),
    row(E, &["ctrl-d", "page-down"], "half page down", Msg::Act(Act::Move(Move::HalfDown)), "half a page down"),
    row(E, &["g", "home"], "top", Msg::Act(Act::Move(Move::Top)), "first row"),
    row(E, &["G", "end"], "bottom", Msg::Act(Act::Move(Move::Bottom)), "last row"),
    row(E, &["left", "h"], "left", Msg::Act(Act::Move(Move::Left)), "to the left: columns, pane or branch"),
    row(E, &["right", "l"], "right", Msg::Act(Act::Move(Move::Right)), "to the right: columns, pane or branch"),
    row(E, &["enter"], "open", Msg::Act(Act::Enter), "open what is under the cursor"),
    row(E, &["tab"], "next pane", Msg::Act(Act::NextPane), "next pane"),
    row(E, &["back-tab"], "previous pane", Msg::Act(Act::PreviousPane), "previous pane"),
    row(E, &["y"], "copy", Msg::Act(Act::Copy), "copy what is under the cursor: path, change or call"),
    row(E, &["F"], "freeze", Msg::Freeze, "hold the picture still; again: go on, with what was held"),
    row(E, &["r"], "refresh intent", Msg::RefreshIntent, "read intent from NetBox now"),
    stages(E, &["u"], "unstage last", Msg::UnstageLast, "take back what was staged last"),
    stages(E, &["U"], "unstage all", Msg::UnstageAll, "empty the staged set"),
    writes(E, &["A"], "arm", Msg::Arm, "allow writes for a while; again: read-only"),
    writes(E, &["C"], "commit", Msg::Commit, "commit the staged plan, after a confirmation"),
];

/// While something is typed.
pub static TYPING: &[Row] = &[
    row(Context::Prompt, &["enter"], "accept", Msg::Prompt(overlay::Msg::Accept), "take what was typed"),
    row(Context::Prompt, &["esc", "ctrl-c"], "cancel", Msg::Prompt(overlay::Msg::Cancel), "leave without it"),
    row(Context::Prompt, &["tab"], "complete", Msg::Prompt(overlay::Msg::Complete), "complete"),
    row(Context::Prompt, &["up", "ctrl-p"], "previous", Msg::Prompt(overlay::Msg::Up), "previous proposal, or line of the history"),
    row(Context::Prompt, &["down", "ctrl-n"], "next", Msg::Prompt(overlay::Msg::Down), "next proposal, or line of the history"),
    row(Context::Confirm, &["enter"], "accept", Msg::Prompt(overlay::Msg::Accept), "do it, when the right word was typed"),
    row(Context::Confirm, &["esc", "ctrl-c", "n"], "cancel", Msg::Prompt(overlay::Msg::Cancel), "leave without it"),
    row(Context::Help, &["esc", "ctrl-c", "enter"], "close", Msg::Prompt(overlay::Msg::Cancel), "close help"),
    row(Context::Help, &["up"], "up", Msg::Prompt(overlay::Msg::Up), "scroll up"),
    row(Context::Help, &["down"], "down", Msg::Prompt(overlay::Msg::Down), "scroll down"),
];

/// Every row there is, in the order of help.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    Screen::ALL.into_iter().flat_map(screen::keys).chain(EVERYWHERE).chain(TYPING)
}

/// The context the next key is looked up in first.
pub fn context(model: &Model) -> Context {
    match &model.overlay {
        None => Context::On(model.screen),
        Some(Overlay::Help { .. }) => Context::Help,
        Some(Overlay::Prompt { .. }) => Context::Prompt,
        Some(Overlay::Confirm { .. }) => Context::Confirm,
    }
}

/// The row a key stands for now.
pub fn find(model: &Model, key: &Key) -> Option<&'static Row> {
    let context = context(model);
    let hit = |row: &&Row| row.keys.contains(&key.0.as_str());
    match context {
        Context::On(on) => screen::keys(on).iter().find(hit).or_else(|| EVERYWHERE.iter().find(hit)),
        _ => TYPING.iter().filter(|row| row.context == context).find(hit),
    }
}

/// Rows that can be reached now: those of the screen, then those of every screen that it does not redefine.
pub fn reachable(on: Screen) -> impl Iterator<Item = &'static Row> {
    let own = screen::keys(on);
    own.iter().chain(EVERYWHERE.iter().filter(move |row| !row.keys.iter().all(|key| own.iter().any(|other| other.keys.contains(key)))))
}

/// How a key is written for people: `↑`, `Enter`, `Ctrl-Z`.
pub fn spell(key: &str, ascii: bool) -> String {
    match key {
        "up" if !ascii => "↑".to_owned(),
        "down" if !ascii => "↓".to_owned(),
        "left" if !ascii => "←".to_owned(),
        "right" if !ascii => "→".to_owned(),
        "page-up" => "PgUp".to_owned(),
        "page-down" => "PgDn".to_owned(),
        "back-tab" => "Shift-Tab".to_owned(),
        _ if key.chars().count() == 1 => key.to_owned(),
        _ => {
            if let Some(letter) = key.strip_prefix("ctrl-") {
                return format!("Ctrl-{}", letter.to_uppercase());
            }
            let mut chars = key.chars();
            chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
        }
    }
}

/// The whole table as Markdown, as the README holds it.
pub fn markdown() -> String {
    let mut out = String::from("| where | keys | does | |\n|---|---|---|---|\n");
    for row in rows() {
        let keys: Vec<String> = row.keys.iter().map(|key| format!("`{}`", spell(key, false).replace('|', "\\|"))).collect();
        let danger = match row.danger {
            Danger::None => "",
            Danger::Stages => "stages",
            Danger::Writes => "leads to a write",
        };
        let _ = writeln!(out, "| {} | {} | {} | {danger} |", row.context.title(), keys.join(" "), row.words);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_key_means_two_things_in_one_context() {
        let mut seen = HashSet::new();
        for row in rows() {
            assert!(!row.keys.is_empty() && !row.words.is_empty() && !row.name.is_empty());
            for key in row.keys {
                assert!(seen.insert((row.context, *key)), "{:?} has `{key}` twice", row.context);
            }
        }
    }

    #[test]
    fn names_are_one_command_each_in_the_palette() {
        for screen in Screen::ALL {
            let mut seen = HashSet::new();
            for row in reachable(screen) {
                assert!(seen.insert(row.name), "{screen:?}: `{}` names two commands", row.name);
            }
        }
    }

    #[test]
    fn no_key_is_eaten_by_tmux_or_needs_alt() {
        for row in rows() {
            for key in row.keys {
                assert!(!key.contains("alt") && *key != "ctrl-b" && *key != "ctrl-a", "{key}");
            }
        }
    }

    #[test]
    fn the_markdown_table_has_a_line_a_row() {
        let table = markdown();
        assert_eq!(table.lines().count(), rows().count() + 2);
        assert!(table.contains("| Fabric |") && table.contains("`Ctrl-Z`"));
    }
}
