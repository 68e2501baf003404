//! The run loop: wait for the first of key, snapshot, timer, signal; take everything that is queued; update; draw if
//! something drawn may have changed. There is no timer when nothing that is drawn will change by itself. It must not decide
//! anything: that is [`super::app::update`]'s part.
//!
//! Frames are written by one blocking task at a time. While the terminal has not taken a frame no other is made, so a slow
//! link gets fewer frames, never a queue of old ones, and keys are still read.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crossterm::event::{Event, EventStream};
use futures_util::{FutureExt as _, StreamExt as _};
use jiff::tz::TimeZone;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use super::app::{Effect, Model, Msg, SharedSchema, update};
use super::draw::Scroll;
use super::paint::Painter;
use super::term::{self, Term};
use super::theme::{self, Depth, Glyphs, Theme};
use super::view;
use crate::diff::change::Severity;
use crate::engine::command::Command;
use crate::engine::now;
use crate::engine::snapshot::Snapshot;

/// Time between two frames that no key asked for.
const FRAME: Duration = Duration::from_millis(33);

/// How the console is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A built-in theme or a file; empty: by the terminal.
    pub theme: String,
    /// Plain lines instead of a full screen: for screen readers and dumb terminals.
    pub plain: bool,
    /// Where every message is written down, one JSON line each.
    pub record: Option<PathBuf>,
}

/// Why the console ended other than by `q`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The terminal failed.
    #[error("the terminal failed: {0}")]
    Terminal(#[from] io::Error),
    /// Nobody would see anything.
    #[error("the console needs a terminal on standard input and output\nhint: `fabric-orch plan` works without one, and so does --plain")]
    NotATerminal,
    /// The theme cannot be used.
    #[error(transparent)]
    Theme(#[from] theme::Error),
    /// The recording cannot be written.
    #[error("recording {path}: {error}")]
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The engine is gone.
    #[error("the engine ended by itself\nhint: --log FILE says more")]
    EngineEnded,
    /// A part of the program panicked; it was told already.
    #[error("a part of the program panicked; what it said stands above")]
    Panicked,
}

/// The console's state with the way out for its effects.
struct Session {
    model: Model,
    commands: mpsc::Sender<Command>,
    record: Option<BufWriter<File>>,
    /// Effects the loop itself has to take care of.
    pending: Vec<Effect>,
}

impl Session {
    fn new(
        commands: mpsc::Sender<Command>,
        snapshot: Arc<Snapshot>,
        schema: SharedSchema,
        options: &Options,
        depth: Depth,
        glyphs: Glyphs,
    ) -> Result<Self, Error> {
        let name = if options.theme.is_empty() { "dark" } else { &options.theme };
        let theme = Theme::load(name)?;
        let record = match &options.record {
            None => None,
            Some(path) => {
                let file = File::create(path).map_err(|error| Error::Record { path: path.clone(), error })?;
                Some(BufWriter::new(file))
            }
        };
        let model = Model::new(snapshot, schema, theme, depth, glyphs, TimeZone::system());
        Ok(Self { model, commands, record, pending: Vec::new() })
    }

    fn take(&mut self, msg: Msg) {
        self.write_down(&msg);
        for effect in update(&mut self.model, msg) {
            match effect {
                Effect::Send(command) => self.send(command),
                other => self.pending.push(other),
            }
        }
    }

    fn send(&mut self, command: Command) {
        let quitting = command == Command::Quit;
        if self.commands.try_send(command).is_err() && !quitting {
            let _ = update(&mut self.model, Msg::Note(Severity::Error, "the engine takes no commands now: try again".to_owned()));
        }
    }

    /// One JSON line a message; a recording that cannot be written ends with a message, not the console.
    fn write_down(&mut self, msg: &Msg) {
        let Some(file) = &mut self.record else { return };
        let line = match msg {
            Msg::Snapshot(snapshot) => serde_json::json!({"at": self.model.now, "snapshot": snapshot.version}),
            msg => serde_json::json!({"at": self.model.now, "msg": msg}),
        };
        if let Err(error) = writeln!(file, "{line}") {
            self.record = None;
            self.model.say(Severity::Error, format!("recording stopped: {error}"));
        }
    }
}

struct Signals {
    terminate: Signal,
    hangup: Signal,
    stop: Signal,
    proceed: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            stop: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
            proceed: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }
}

/// Runs the console until it is quit. The engine is asked to quit, too; waiting for it is the caller's part.
pub async fn run(
    commands: mpsc::Sender<Command>,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    schema: SharedSchema,
    options: Options,
) -> Result<(), Error> {
    let var = |name: &str| std::env::var(name).ok();
    let (depth, glyphs) = (Depth::detect(var), Glyphs::detect(var));
    let first = snapshots.borrow_and_update().clone();
    if options.plain || var("TERM").as_deref() == Some("dumb") {
        let session = Session::new(commands, first, schema, &options, Depth::Mono, Glyphs::ASCII)?;
        return plain(session, snapshots).await;
    }
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Error::NotATerminal);
    }
    let mut session = Session::new(commands, first, schema, &options, depth, glyphs)?;
    let nudge = Arc::new(Notify::new());
    term::on_panic(Arc::clone(&nudge));
    let mut signals = Signals::new()?;
    let mut term = Term::take()?;
    let mut keys = EventStream::new();
    let (columns, rows) = crossterm::terminal::size()?;
    session.take(Msg::Resize(columns, rows));
    let (mut painter, mut scroll) = (Painter::new(columns, rows), Scroll::default());
    let mut writing: Option<JoinHandle<io::Result<()>>> = None;
    let mut last_frame: Option<Instant> = None;
    let mut wake: Option<Instant> = None;
    let mut urgent = true;
    let mut engine = true;
    loop {
        if term::panicked() {
            return Err(Error::Panicked);
        }
        // Draw, if there is reason to and the terminal has taken the frame before.
        let due = last_frame.map(|last| last + FRAME).filter(|due| !urgent && *due > Instant::now());
        if session.model.dirty && due.is_none() && writing.is_none() {
            session.model.dirty = false;
            urgent = false;
            last_frame = Some(Instant::now());
            let shown = painter.frame(&session.model, &mut scroll)?;
            wake = shown.wake.map(|ms| Instant::now() + Duration::from_millis(ms));
            let mut bytes = painter.bytes().to_vec();
            bytes.extend(term.title(&view::title(&session.model)).unwrap_or_default());
            if !bytes.is_empty() {
                writing = Some(write(&term, bytes)?);
            }
        }
        let timer = if session.model.dirty && writing.is_none() { due } else { wake.filter(|_| !session.model.dirty) };
        tokio::select! {
            biased;
            _ = signals.terminate.recv() => break,
            _ = signals.hangup.recv() => break,
            event = next(&mut keys) => {
                match event {
                    Some(Ok(event)) => urgent |= take_event(&mut session, event),
                    Some(Err(error)) => return Err(error.into()),
                    None => break,
                }
                while let Some(Ok(event)) = queued(&mut keys).await {
                    take_event(&mut session, event);
                }
            }
            done = async { match &mut writing { Some(task) => task.await, None => std::future::pending().await } } => {
                writing = None;
                if let Ok(Err(error)) = done {
                    return Err(error.into());
                }
            }
            changed = snapshots.changed(), if engine => match changed {
                Ok(()) => {
                    let snapshot = snapshots.borrow_and_update().clone();
                    session.take(Msg::Now(now()));
                    session.take(Msg::Snapshot(snapshot));
                }
                Err(_) => {
                    engine = false;
                    if !session.model.over {
                        return Err(Error::EngineEnded);
                    }
                }
            },
            () = async { match timer { Some(at) => tokio::time::sleep_until(at.into()).await, None => std::future::pending().await } } => {
                session.take(Msg::Now(now()));
                session.model.dirty = true;
                wake = None;
            }
            _ = signals.stop.recv() => session.pending.push(Effect::Suspend),
            _ = signals.proceed.recv() => {
                // Somebody stopped us without asking: the shell has had the terminal meanwhile.
                term.enter_again()?;
                session.pending.push(Effect::Repaint);
            }
            () = nudge.notified() => {}
        }
        for effect in std::mem::take(&mut session.pending) {
            match effect {
                Effect::Send(_) => {}
                Effect::Quit => {}
                Effect::Repaint => {
                    let (columns, rows) = crossterm::terminal::size()?;
                    session.take(Msg::Resize(columns, rows));
                    painter.forget();
                    urgent = true;
                }
                Effect::Copy(text) => {
                    let words = match term::clipboard(&text, var("TMUX").is_some()) {
                        Ok(bytes) => {
                            finish(&mut writing).await?;
                            writing = Some(write(&term, bytes)?);
                            let first: String = text.lines().next().unwrap_or_default().chars().take(60).collect();
                            Msg::Note(Severity::Info, format!("copied {first}"))
                        }
                        Err(problem) => Msg::Note(Severity::Warning, problem),
                    };
                    session.take(words);
                    urgent = true;
                }
                Effect::Suspend => {
                    finish(&mut writing).await?;
                    if term.suspend()? {
                        // The answer to SIGCONT would repaint once more: it is taken here.
                        let _ = signals.proceed.recv().now_or_never();
                        let (columns, rows) = crossterm::terminal::size()?;
                        session.take(Msg::Now(now()));
                        session.take(Msg::Resize(columns, rows));
                        painter.forget();
                    } else {
                        session.take(Msg::Note(Severity::Info, "no shell to suspend to".to_owned()));
                    }
                    urgent = true;
                }
            }
        }
        if session.model.over {
            break;
        }
    }
    if !session.model.over {
        let _ = session.commands.try_send(Command::Quit);
    }
    // A terminal that has gone takes no more bytes; do not wait for it long.
    if let Some(task) = writing {
        let _ = tokio::time::timeout(Duration::from_millis(500), task).await;
    }
    term.leave();
    if let Some(file) = &mut session.record {
        let _ = file.flush();
    }
    Ok(())
}

/// The next event; `None` when the terminal has gone.
async fn next(keys: &mut EventStream) -> Option<io::Result<Event>> {
    std::future::poll_fn(|context| poll(keys, context)).await
}

/// The next event, if one is there already. Polled with the loop's own waker: the stream remembers the first waker it is
/// polled with until an event comes, so a poll with another one (`now_or_never`) would leave the loop asleep.
async fn queued(keys: &mut EventStream) -> Option<io::Result<Event>> {
    std::future::poll_fn(|context| match poll(keys, context) {
        Poll::Ready(event) => Poll::Ready(event),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Asks for an event, but never of a terminal that has hung up: crossterm 0.29 reads its end of file over and over and does
/// not come back, so that a dropped SSH session would leave a process that eats a core and sees no SIGHUP.
fn poll(keys: &mut EventStream, context: &mut Context<'_>) -> Poll<Option<io::Result<Event>>> {
    if !io::stdin().is_terminal() {
        return Poll::Ready(None);
    }
    keys.poll_next_unpin(context)
}

/// Takes one event of the terminal; whether the answer must be drawn at once.
fn take_event(session: &mut Session, event: Event) -> bool {
    session.take(Msg::Now(now()));
    match event {
        Event::Key(event) => match term::key(&event) {
            Some(key) => session.take(Msg::Press(key)),
            None => return false,
        },
        Event::Paste(text) => session.take(Msg::Paste(text)),
        Event::Resize(columns, rows) => session.take(Msg::Resize(columns, rows)),
        Event::FocusGained | Event::FocusLost | Event::Mouse(_) => return false,
    }
    true
}

/// One write for a whole frame, away from the loop.
fn write(term: &Term, bytes: Vec<u8>) -> io::Result<JoinHandle<io::Result<()>>> {
    let mut out = term.writer()?;
    Ok(tokio::task::spawn_blocking(move || out.frame(&bytes)))
}

async fn finish(writing: &mut Option<JoinHandle<io::Result<()>>>) -> io::Result<()> {
    match writing.take() {
        Some(task) => task.await.unwrap_or(Ok(())),
        None => Ok(()),
    }
}

/// The console without a screen: the same text, as lines, when it changes; commands of the palette are read as lines.
async fn plain(mut session: Session, mut snapshots: watch::Receiver<Arc<Snapshot>>) -> Result<(), Error> {
    use tokio::io::AsyncBufReadExt as _;
    let mut lines = tokio::io::BufReader::new(tokio::io::stdin()).lines();
    let mut out = io::stdout();
    let mut signals = Signals::new()?;
    let mut before = String::new();
    let mut input = true;
    session.take(Msg::Resize(100, 50));
    loop {
        if session.model.dirty {
            session.model.dirty = false;
            let mut text = view::plain(&session.model, 100, 50);
            if let Some(toast) = &session.model.toast {
                text.push_str(&format!("\n{}", toast.text));
            }
            if text != before {
                // Screens are parted by an empty line.
                writeln!(out, "{}\n", super::clean::clean_lines(&text))?;
                out.flush()?;
                before = text;
            }
        }
        tokio::select! {
            line = lines.next_line(), if input => match line? {
                Some(line) => {
                    session.take(Msg::Now(now()));
                    let effects = super::overlay::run(&mut session.model, &line);
                    for effect in effects {
                        match effect {
                            Effect::Send(command) => session.send(command),
                            Effect::Copy(text) => writeln!(out, "{}", super::clean::clean_lines(&text))?,
                            Effect::Quit | Effect::Suspend | Effect::Repaint => {}
                        }
                    }
                    session.model.dirty = true;
                }
                None => input = false,
            },
            changed = snapshots.changed() => match changed {
                Ok(()) => {
                    let snapshot = snapshots.borrow_and_update().clone();
                    session.take(Msg::Now(now()));
                    session.take(Msg::Snapshot(snapshot));
                    // Once a second is enough for what is read aloud.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(_) if session.model.over => return Ok(()),
                Err(_) => return Err(Error::EngineEnded),
            },
            _ = signals.terminate.recv() => break,
            _ = signals.hangup.recv() => break,
        }
        if session.model.over {
            return Ok(());
        }
    }
    let _ = session.commands.try_send(Command::Quit);
    Ok(())
}
