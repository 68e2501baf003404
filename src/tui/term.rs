//! The terminal: taken on entry, given back on every way out (quit, error, panic, signal, suspension), and keys as the key
//! table spells them. It must not know what a key does.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use crossterm::QueueableCommand as _;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::style::{Attribute, SetAttribute};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode};

use super::keys::Key;

/// Terminals refuse longer clipboards.
const MOST_CLIPBOARD: usize = 74_000;

/// Whether the terminal is ours now: giving it back twice would disturb whoever has it.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether some thread panicked since the terminal was taken.
static PANICKED: AtomicBool = AtomicBool::new(false);
/// Held while bytes go to the terminal, so that nothing is written after it was given back and no reset lands in the middle
/// of a frame.
static WRITING: Mutex<()> = Mutex::new(());
/// How long the way out waits for a frame the terminal is slow to take, before it resets the terminal all the same.
const PATIENCE: Duration = Duration::from_millis(300);
/// Wakes the loop after a panic elsewhere.
static NUDGE: Mutex<Option<std::sync::Arc<tokio::sync::Notify>>> = Mutex::new(None);

/// The terminal while it is ours.
pub struct Term {
    out: File,
    title: String,
}

impl Term {
    /// Takes the terminal.
    pub fn take() -> io::Result<Self> {
        // Colours are ours to decide: crossterm under NO_COLOR would turn every colour into "reset all", and the reversed
        // row, the only mark of the selection, would vanish.
        crossterm::style::force_color_output(true);
        let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let mut term = Self { out, title: String::new() };
        term.enter()?;
        Ok(term)
    }

    /// Raw mode, the other screen, bracketed paste, the title saved.
    fn enter(&mut self) -> io::Result<()> {
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let mut bytes = Vec::new();
        bytes.write_all(b"\x1b[22;2t")?;
        bytes.queue(EnterAlternateScreen)?.queue(EnableBracketedPaste)?.queue(Hide)?;
        self.title.clear();
        self.out.write_all(&bytes)
    }

    /// Gives the terminal back.
    pub fn leave(&mut self) {
        give_back(&mut self.out);
    }

    /// Takes it again after [`Term::leave`].
    pub fn enter_again(&mut self) -> io::Result<()> {
        self.enter()
    }

    /// Another handle to write frames with.
    pub fn writer(&self) -> io::Result<Writer> {
        Ok(Writer { out: self.out.try_clone()? })
    }

    /// The bytes that set the title, when it is another one.
    pub fn title(&mut self, title: &str) -> Option<Vec<u8>> {
        if self.title == title {
            return None;
        }
        title.clone_into(&mut self.title);
        let mut bytes = Vec::new();
        bytes.queue(SetTitle(title)).ok()?;
        Some(bytes)
    }

    /// Stops this job as Ctrl-Z does, and comes back with `fg`. `false` when there is no shell that could bring it back.
    pub fn suspend(&mut self) -> io::Result<bool> {
        use rustix::process::{Signal, getpgid, getsid, kill_current_process_group};
        if getpgid(None)? == getsid(None)? {
            return Ok(false);
        }
        self.leave();
        // The whole job, so that a `cargo run` in front of us stops, too.
        let stopped = kill_current_process_group(Signal::STOP);
        self.enter()?;
        stopped?;
        Ok(true)
    }
}

/// Writes frames while the terminal is ours.
pub struct Writer {
    out: File,
}

impl Writer {
    /// Writes one whole frame; a terminal that was given back meanwhile (a panic on another thread) gets nothing.
    pub fn frame(&mut self, bytes: &[u8]) -> io::Result<()> {
        let _held = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        if !TAKEN.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.out.write_all(bytes)
    }
}

/// Waits for a frame that is being written, but not for a terminal that takes none.
fn quiet() -> Option<MutexGuard<'static, ()>> {
    let end = Instant::now() + PATIENCE;
    loop {
        match WRITING.try_lock() {
            Ok(held) => return Some(held),
            Err(TryLockError::Poisoned(held)) => return Some(held.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            Err(TryLockError::WouldBlock) => return None,
        }
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Every mode that was set is reset, in the opposite order; errors are of no use any more.
fn give_back(out: &mut impl Write) {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let _held = quiet();
    let mut bytes = Vec::new();
    let queued = bytes
        .queue(crossterm::terminal::EndSynchronizedUpdate)
        .and_then(|b| b.queue(SetAttribute(Attribute::Reset)))
        .and_then(|b| b.queue(DisableBracketedPaste))
        .and_then(|b| b.queue(LeaveAlternateScreen))
        .and_then(|b| b.queue(Show))
        .and_then(|b| b.write_all(b"\x1b[23;2t"));
    if queued.is_ok() {
        let _ = out.write_all(&bytes);
        let _ = out.flush();
    }
    let _ = disable_raw_mode();
}

/// Gives the terminal back before a panic is told, on whatever thread it happens, and ends the loop through `nudge`.
pub fn on_panic(nudge: std::sync::Arc<tokio::sync::Notify>) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    if let Ok(mut slot) = NUDGE.lock() {
        *slot = Some(nudge);
    }
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back(&mut io::stdout());
            PANICKED.store(true, Ordering::SeqCst);
            before(info);
            if let Ok(slot) = NUDGE.try_lock()
                && let Some(nudge) = slot.as_ref()
            {
                nudge.notify_one();
            }
        }));
    });
}

/// Whether some thread panicked.
pub fn panicked() -> bool {
    PANICKED.load(Ordering::SeqCst)
}

/// The bytes that put a text into the clipboard of the terminal the operator sits at, through tmux when there is one.
pub fn clipboard(text: &str, tmux: bool) -> Result<Vec<u8>, String> {
    let coded = base64::engine::general_purpose::STANDARD.encode(text);
    if coded.len() > MOST_CLIPBOARD {
        return Err(format!("{} bytes are too many for the terminal's clipboard", text.len()));
    }
    let plain = format!("\x1b]52;c;{coded}\x07");
    if tmux {
        return Ok(format!("{plain}\x1bPtmux;\x1b{plain}\x1b\\").into_bytes());
    }
    Ok(plain.into_bytes())
}

/// A key as the table spells it; `None` for what the table cannot have.
pub fn key(event: &KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let name = match event.code {
        KeyCode::Char(' ') => "space".to_owned(),
        KeyCode::Char(c) if ctrl => format!("ctrl-{}", c.to_ascii_lowercase()),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Enter => "enter".to_owned(),
        KeyCode::Esc => "esc".to_owned(),
        KeyCode::Tab => "tab".to_owned(),
        KeyCode::BackTab => "back-tab".to_owned(),
        KeyCode::Backspace => "backspace".to_owned(),
        KeyCode::Delete => "delete".to_owned(),
        KeyCode::Left => "left".to_owned(),
        KeyCode::Right => "right".to_owned(),
        KeyCode::Up => "up".to_owned(),
        KeyCode::Down => "down".to_owned(),
        KeyCode::Home => "home".to_owned(),
        KeyCode::End => "end".to_owned(),
        KeyCode::PageUp => "page-up".to_owned(),
        KeyCode::PageDown => "page-down".to_owned(),
        _ => return None,
    };
    Some(Key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spelled_as_in_the_table() {
        let plain = |code| key(&KeyEvent::new(code, KeyModifiers::NONE)).map(|key| key.0);
        assert_eq!(plain(KeyCode::Char('j')).as_deref(), Some("j"));
        assert_eq!(plain(KeyCode::Char(' ')).as_deref(), Some("space"));
        assert_eq!(plain(KeyCode::PageUp).as_deref(), Some("page-up"));
        assert_eq!(plain(KeyCode::F(1)), None);
        assert_eq!(key(&KeyEvent::new(KeyCode::Char('Z'), KeyModifiers::CONTROL)).map(|key| key.0).as_deref(), Some("ctrl-z"));
        for row in super::super::keys::rows() {
            for name in row.keys {
                let known = name.chars().count() == 1 || name.strip_prefix("ctrl-").is_some_and(|letter| letter.len() == 1);
                let named =
                    ["space", "enter", "esc", "tab", "back-tab", "left", "right", "up", "down", "home", "end", "page-up", "page-down"]
                        .contains(name);
                assert!(known || named, "no key is spelled `{name}`");
            }
        }
    }

    #[test]
    fn the_clipboard_takes_text_as_base64_and_refuses_too_much() {
        assert_eq!(clipboard("hi", false).unwrap(), b"\x1b]52;c;aGk=\x07");
        assert!(clipboard("hi", true).unwrap().starts_with(b"\x1b]52;c;aGk=\x07\x1bPtmux;\x1b\x1b]52;"));
        assert!(clipboard(&"x".repeat(80_000), false).is_err());
    }
}
