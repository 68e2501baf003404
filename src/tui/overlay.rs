//! What lies over a screen: help, prompts (palette, filter, file names) and confirmations. It must not write: an accepted
//! confirmation comes back as an effect like any other.

use serde::{Deserialize, Serialize};
use tui_input::{Input, InputRequest};

use super::app::{self, Effect, Model};
use super::filter::{Filter, fuzzy};
use super::keys::{self, Key};
use super::screen::{self, Screen};
use super::theme::BUILT_IN;
use crate::diff::change::Severity;
use crate::engine::command::Command;
use crate::path::Path;

/// What is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A command.
    Palette,
    /// A filter of the screen's rows.
    Filter,
    /// Words to find in the schema.
    Search,
    /// A file name for the staged plan.
    SavePlan,
    /// The name of a block to accept.
    Override,
    /// The number of an operation to take back.
    Rollback,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Commit the plan with this hash.
    Commit {
        /// What was reviewed.
        hash: String,
        /// `3 changes on 2 devices in 2 waves`.
        words: String,
    },
    /// Quit although a commit runs.
    Quit,
}

/// What lies over a screen.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// The keys of this screen.
    Help {
        /// What the rows are filtered by.
        input: Input,
        /// First row shown.
        offset: usize,
    },
    /// One line of text.
    Prompt {
        /// For what.
        kind: Kind,
        /// The text.
        input: Input,
        /// The selected proposal, if one was.
        pick: Option<usize>,
        /// How far back in the history.
        past: usize,
    },
    /// A question.
    Confirm {
        /// Which.
        question: Question,
        /// What was typed.
        input: Input,
    },
}

impl Overlay {
    /// Help.
    pub fn help() -> Self {
        Self::Help { input: Input::default(), offset: 0 }
    }

    /// A prompt with a text to start from.
    pub fn prompt(kind: Kind, text: &str) -> Self {
        Self::Prompt { kind, input: Input::new(text.to_owned()), pick: None, past: 0 }
    }

    /// A question.
    pub fn confirm(question: Question) -> Self {
        Self::Confirm { question, input: Input::default() }
    }

    fn input(&mut self) -> &mut Input {
        match self {
            Self::Help { input, .. } | Self::Prompt { input, .. } | Self::Confirm { input, .. } => input,
        }
    }
}

/// What an overlay's keys do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Msg {
    /// Take it.
    Accept,
    /// Leave it.
    Cancel,
    /// Complete it.
    Complete,
    /// Proposal or history line before.
    Up,
    /// Proposal or history line after.
    Down,
}

/// Keys that are not in the table type.
pub fn typed(model: &mut Model, key: &Key) -> Vec<Effect> {
    let request = match key.0.as_str() {
        "backspace" | "ctrl-h" => InputRequest::DeletePrevChar,
        "delete" => InputRequest::DeleteNextChar,
        "left" => InputRequest::GoToPrevChar,
        "right" => InputRequest::GoToNextChar,
        "home" => InputRequest::GoToStart,
        "end" | "ctrl-e" => InputRequest::GoToEnd,
        "ctrl-w" => InputRequest::DeletePrevWord,
        "ctrl-u" => InputRequest::DeleteLine,
        _ => match key.typed() {
            Some(c) => InputRequest::InsertChar(c),
            None => return Vec::new(),
        },
    };
    let strict = model.strict();
    let Some(overlay) = &mut model.overlay else { return Vec::new() };
    // In a lab one letter is enough; the same letter must not be typed into a question that wants a name.
    if let Overlay::Confirm { question, .. } = overlay
        && (!strict || *question == Question::Quit)
    {
        let question = question.clone();
        return if key.0 == "y" { accept_question(model, &question) } else { Vec::new() };
    }
    overlay.input().handle(request);
    if let Overlay::Prompt { pick, past, .. } = overlay {
        (*pick, *past) = (None, 0);
    }
    if let Overlay::Help { offset, .. } = overlay {
        *offset = 0;
    }
    live_edit(model);
    Vec::new()
}

/// Pasted text goes where typed text goes; without a prompt it is refused, so that a paste never presses keys.
pub fn paste(model: &mut Model, text: &str) {
    match &mut model.overlay {
        Some(Overlay::Confirm { .. }) => model.say(Severity::Warning, "type it: a confirmation takes no paste"),
        Some(overlay) => {
            for c in text.chars().filter(|c| !c.is_control()).take(4_096) {
                overlay.input().handle(InputRequest::InsertChar(c));
            }
            live_edit(model);
        }
        None => model.say(Severity::Info, "pasted text ignored: open : or / first"),
    }
}

/// A filter and a search show their result while they are typed.
fn live_edit(model: &mut Model) {
    let Some(Overlay::Prompt { kind, input, .. }) = &model.overlay else { return };
    let (kind, text) = (*kind, input.value().to_owned());
    match kind {
        Kind::Filter => {
            model.filters[model.screen as usize] = Filter::new(&text);
            screen::rebuild(model);
        }
        Kind::Search => screen::yang::search(model, &text),
        Kind::Palette | Kind::SavePlan | Kind::Override | Kind::Rollback => {}
    }
}

/// Handles an overlay's own keys.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Cancel => {
            match model.overlay.take() {
                Some(Overlay::Prompt { kind: Kind::Filter, .. }) => {
                    model.filters[model.screen as usize] = Filter::default();
                    screen::rebuild(model);
                }
                Some(Overlay::Prompt { kind: Kind::Search, .. }) => model.yang.finding = false,
                _ => {}
            }
            Vec::new()
        }
        Msg::Accept => accept(model),
        Msg::Complete => {
            let proposals = proposals(model);
            if let Some(Overlay::Prompt { input, pick, .. }) = &mut model.overlay
                && let Some(proposal) = proposals.get(pick.unwrap_or(0))
            {
                *input = Input::new(proposal.line.clone());
                *pick = None;
            }
            Vec::new()
        }
        Msg::Up | Msg::Down => {
            travel(model, msg == Msg::Down);
            Vec::new()
        }
    }
}

fn travel(model: &mut Model, down: bool) {
    let many = proposals(model).len();
    let history = &model.history;
    match &mut model.overlay {
        Some(Overlay::Help { offset, .. }) => *offset = if down { offset.saturating_add(1) } else { offset.saturating_sub(1) },
        Some(Overlay::Prompt { kind: Kind::Palette, input, pick, past }) => {
            // Up from an empty line walks the history, as in a shell; otherwise the arrows pick a proposal.
            let in_history = *past > 0 || (input.value().is_empty() && !down && pick.is_none());
            if in_history {
                *past = if down { past.saturating_sub(1) } else { (*past + 1).min(history.len()) };
                let line = past.checked_sub(1).and_then(|back| history.iter().rev().nth(back)).cloned().unwrap_or_default();
                *input = Input::new(line);
            } else if many > 0 {
                *pick = match (*pick, down) {
                    (None, true) => Some(0),
                    (Some(at), true) => Some((at + 1).min(many - 1)),
                    (Some(0) | None, false) => None,
                    (Some(at), false) => Some(at - 1),
                };
            }
        }
        Some(Overlay::Prompt { kind: Kind::Search, .. }) => screen::yang::travel(model, down),
        Some(Overlay::Prompt { .. } | Overlay::Confirm { .. }) | None => {}
    }
}

fn accept(model: &mut Model) -> Vec<Effect> {
    let proposals = proposals(model);
    match model.overlay.take() {
        Some(Overlay::Prompt { kind, input, pick, .. }) => {
            let text = input.value().trim().to_owned();
            match kind {
                Kind::Palette => {
                    let exact = proposals.iter().any(|proposal| proposal.line.trim() == text);
                    let picked =
                        pick.and_then(|at| proposals.get(at)).or_else(|| proposals.first().filter(|_| !exact && !text.contains(' ')));
                    let line = picked.map_or(text, |proposal| proposal.line.trim().to_owned());
                    run(model, &line)
                }
                Kind::Filter => Vec::new(),
                Kind::Search => {
                    screen::yang::search_done(model);
                    Vec::new()
                }
                Kind::SavePlan if text.is_empty() => Vec::new(),
                Kind::SavePlan => {
                    model.say(Severity::Info, format!("writing the staged plan to {text}"));
                    vec![Effect::Send(Command::SavePlan(text))]
                }
                Kind::Rollback => match text.parse() {
                    Ok(operation) => {
                        model.go(Screen::Plan);
                        vec![Effect::Send(Command::Rollback(operation))]
                    }
                    Err(_) => {
                        model.say(Severity::Warning, format!("`{text}` is no number of an operation: `fabric-orch history` lists them"));
                        Vec::new()
                    }
                },
                Kind::Override => {
                    match model.live.staged_plan.as_ref().is_some_and(|plan| plan.blocked.iter().any(|block| block.name == text)) {
                        true => vec![Effect::Send(Command::Override(text))],
                        false => {
                            model.say(Severity::Warning, format!("the staged plan has no block named `{text}`"));
                            Vec::new()
                        }
                    }
                }
            }
        }
        Some(Overlay::Confirm { question, input }) => {
            let wanted = match &question {
                Question::Commit { .. } if model.strict() => model.live.fabric.to_string(),
                _ => "y".to_owned(),
            };
            if input.value().trim() == wanted {
                return accept_question(model, &question);
            }
            model.overlay = Some(Overlay::Confirm { question, input });
            Vec::new()
        }
        other => {
            model.overlay = other;
            Vec::new()
        }
    }
}

fn accept_question(model: &mut Model, question: &Question) -> Vec<Effect> {
    model.overlay = None;
    match question {
        Question::Quit => {
            model.over = true;
            vec![Effect::Send(Command::Quit), Effect::Quit]
        }
        Question::Commit { hash, .. } => {
            model.go(Screen::Commit);
            vec![Effect::Send(Command::Commit { hash: hash.clone() })]
        }
    }
}

/// Opens the confirmation of a commit, or says why there is nothing to confirm.
pub fn ask_commit(model: &mut Model) {
    let Some(plan) = model.live.staged_plan.clone() else {
        return model.say(Severity::Info, "nothing is staged: Space stages what is under the cursor");
    };
    if model.committing() {
        return model.say(Severity::Warning, "a commit is under way");
    }
    if let Some(block) = plan.blocked.first() {
        return model
            .say(Severity::Error, format!("blocked by {} on {}: {} (E accepts it by name)", block.name, block.device, block.reason));
    }
    if !model.live.may_write {
        return model.say(Severity::Warning, "this console may not write\nhint: start with --write, or set write = true for this fabric");
    }
    if !model.armed() {
        return model.say(Severity::Warning, "read-only: A arms the fabric first");
    }
    let words = format!(
        "{} on {} in {}",
        app::counted(plan.changes().count(), "change"),
        app::counted(plan.steps.len(), "device"),
        app::counted(plan.waves.len(), "wave")
    );
    model.overlay = Some(Overlay::confirm(Question::Commit { hash: plan.hash.clone(), words }));
}

/// Closes a confirmation whose ground has moved: never confirm what was not reviewed.
pub fn check(model: &mut Model) {
    if let Some(Overlay::Confirm { question: Question::Commit { hash, .. }, .. }) = &model.overlay
        && model.live.staged_plan.as_ref().is_none_or(|plan| plan.hash != *hash)
    {
        model.overlay = None;
        model.say(Severity::Warning, "the staged plan changed: review it again");
    }
}

/// A line the palette proposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The line.
    pub line: String,
    /// What it does.
    pub words: String,
    /// Its key, if it has one.
    pub key: Option<&'static str>,
}

/// Commands with an argument, which no key has.
const WITH_ARGUMENT: [(&str, &str); 8] = [
    ("device", "open a device"),
    ("theme", "change the theme"),
    ("write", "write the staged plan to a file"),
    ("override", "accept a block of the staged plan by its name"),
    ("resync", "drop a device's stream and read everything again"),
    ("get", "Get a path from the selected device"),
    ("subscribe", "add a path to the selected device's subscription"),
    ("filter", "show only rows with these words"),
];

/// What the palette proposes for what was typed, best first.
pub fn proposals(model: &Model) -> Vec<Proposal> {
    let Some(Overlay::Prompt { kind: Kind::Palette, input, .. }) = &model.overlay else { return Vec::new() };
    let typed = input.value().trim_start().to_lowercase();
    if let Some((command, argument)) = typed.split_once(' ') {
        let values: Vec<(String, &str)> = match command {
            "device" | "resync" => model.live.devices.iter().map(|device| (device.name.to_string(), "")).collect(),
            "theme" => BUILT_IN.iter().map(|(name, _)| ((*name).to_owned(), "")).collect(),
            "override" => model
                .live
                .staged_plan
                .iter()
                .flat_map(|plan| &plan.blocked)
                .map(|block| (block.name.clone(), block.reason.as_str()))
                .collect(),
            _ => Vec::new(),
        };
        let mut out: Vec<Proposal> = values
            .into_iter()
            .filter(|(value, _)| fuzzy(&value.to_lowercase(), argument))
            .map(|(value, words)| Proposal { line: format!("{command} {value}"), words: words.to_owned(), key: None })
            .collect();
        out.sort_by_key(|proposal| !proposal.line.to_lowercase().starts_with(&typed));
        return out;
    }
    let rows = keys::reachable(model.screen).map(|row| Proposal {
        line: row.name.to_owned(),
        words: row.words.to_owned(),
        key: row.keys.first().copied(),
    });
    let more = WITH_ARGUMENT.iter().map(|(name, words)| Proposal { line: format!("{name} "), words: (*words).to_owned(), key: None });
    let mut out: Vec<Proposal> = rows.chain(more).filter(|proposal| fuzzy(&proposal.line, &typed)).collect();
    out.sort_by_key(|proposal| (!proposal.line.starts_with(&typed), proposal.line.trim() != typed));
    out
}

/// Runs a line of the palette.
pub fn run(model: &mut Model, line: &str) -> Vec<Effect> {
    let line = line.trim();
    if line.is_empty() {
        return Vec::new();
    }
    if model.history.last().is_none_or(|last| last != line) {
        model.history.push(line.to_owned());
    }
    if let Some(row) = keys::reachable(model.screen).find(|row| row.name == line) {
        return app::update(model, row.msg.clone());
    }
    let (command, argument) = line.split_once(' ').map_or((line, ""), |(command, argument)| (command, argument.trim()));
    let path = |model: &mut Model| match Path::parse(argument) {
        Ok(path) => model.device.clone().map(|device| (device, path)),
        Err(error) => {
            model.say(Severity::Warning, error.to_string());
            None
        }
    };
    let device = |name: &str| model.live.devices.iter().find(|device| *device.name == *name).map(|device| device.name.clone());
    match (command, argument) {
        ("q" | "quit", "") => app::update(model, app::Msg::Quit),
        ("q!", "") => app::update(model, app::Msg::QuitNow),
        ("disarm", "") => vec![Effect::Send(Command::Disarm)],
        ("device", name) => match device(name) {
            Some(name) => app::update(model, app::Msg::Open(name)),
            None => refuse(model, format!("no device `{name}`")),
        },
        ("theme", name) if !name.is_empty() => app::update(model, app::Msg::Theme(name.to_owned())),
        ("write" | "w", file) if !file.is_empty() => vec![Effect::Send(Command::SavePlan(file.to_owned()))],
        ("override", name) if !name.is_empty() => vec![Effect::Send(Command::Override(name.to_owned()))],
        ("resync", name) if !name.is_empty() => match device(name) {
            Some(name) => vec![Effect::Send(Command::Resync(name))],
            None => refuse(model, format!("no device `{name}`")),
        },
        ("get", text) if !text.is_empty() => {
            path(model).map(|(device, path)| Effect::Send(Command::Get(device, path))).into_iter().collect()
        }
        ("subscribe", text) if !text.is_empty() => {
            path(model).map(|(device, path)| Effect::Send(Command::Subscribe(device, path))).into_iter().collect()
        }
        ("filter", words) => {
            model.filters[model.screen as usize] = Filter::new(words);
            screen::rebuild(model);
            Vec::new()
        }
        _ => refuse(model, format!("no command `{line}` here: ? lists them")),
    }
}

fn refuse(model: &mut Model, text: String) -> Vec<Effect> {
    model.say(Severity::Warning, text);
    Vec::new()
}
