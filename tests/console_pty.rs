//! The run loop in a real pseudo-terminal, on a fixture instead of an engine: what is written at the start, nothing while
//! idle, restore on every way out. The child is this test binary itself, told so by an environment variable.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

#[path = "screens/fixture.rs"]
mod fixture;

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fabric_orchestrator::engine::command::Command;
use fabric_orchestrator::tui;
use fixture::Fixture;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const CHILD: &str = "FABRIC_ORCH_PTY_CHILD";

/// Not a test: the console, when it is asked for.
#[test]
fn child() {
    let Ok(how) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let result = runtime.block_on(async {
        let (commands, mut asked) = tokio::sync::mpsc::channel(16);
        let (_snapshots, watch) = tokio::sync::watch::channel(Fixture::new().staged().shared());
        let panic_soon = how == "panic";
        tokio::spawn(async move {
            while let Some(command) = asked.recv().await {
                if panic_soon && command == Command::RefreshIntent {
                    panic!("as asked");
                }
            }
        });
        tui::run(commands, watch, fixture::schema(), tui::Options::default()).await
    });
    match result {
        Ok(()) => println!("console ended well"),
        Err(error) => println!("console ended: {error}"),
    }
}

struct Console {
    master: Box<dyn portable_pty::MasterPty + Send>,
    writer: Box<dyn std::io::Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Console {
    fn start(how: &str, env: &[(&str, &str)]) -> Self {
        let pty = native_pty_system().openpty(PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--nocapture", "--test-threads", "1"]);
        for (name, value) in
            [(CHILD, how), ("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8")]
                .iter()
                .chain(env)
        {
            command.env(name, value);
        }
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, sink) = (pty.master.try_clone_reader().unwrap(), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut buf = [0; 65_536];
            while let Ok(count @ 1..) = reader.read(&mut buf) {
                sink.lock().unwrap().extend_from_slice(&buf[..count]);
            }
        });
        let writer = pty.master.take_writer().unwrap();
        Self { master: pty.master, writer, child, seen }
    }

    fn bytes(&self) -> Vec<u8> {
        self.seen.lock().unwrap().clone()
    }

    fn screen(&self, columns: u16, rows: u16) -> vt100::Parser {
        let size = |n: u16| NonZeroU16::new(n).unwrap();
        let mut parser = vt100::Parser::new(size(rows), size(columns), 0);
        parser.process(&self.bytes());
        parser
    }

    /// Waits until the screen holds `word`.
    fn until(&self, columns: u16, rows: u16, word: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let parser = self.screen(columns, rows);
            if parser.screen().contents().contains(word) {
                return;
            }
            assert!(Instant::now() < end, "`{word}` never came:\n{}", parser.screen().contents());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits for the end; says what the terminal got.
    fn end(mut self) -> String {
        let end = Instant::now() + Duration::from_secs(20);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "the console does not end:\n{}", self.screen(120, 40).screen().contents());
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(200));
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

/// Every mode is reset, after the last frame, and the shell's screen is back.
fn restored(output: &str) {
    for (set, reset) in
        [("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?2004h", "\x1b[?2004l"), ("\x1b[?25l", "\x1b[?25h"), ("\x1b[22;2t", "\x1b[23;2t")]
    {
        let (set_at, reset_at) = (output.rfind(set), output.rfind(reset));
        assert!(set_at.is_some() && reset_at > set_at, "{set:?} at {set_at:?}, {reset:?} at {reset_at:?}");
    }
    let after = &output[output.rfind("\x1b[?1049l").unwrap()..];
    assert!(!after.contains("\x1b[?2026h"), "a frame after the end");
}

#[test]
fn one_write_a_frame_then_silence_then_a_clean_end() {
    let mut console = Console::start("plain", &[]);
    console.until(120, 40, "leaf8");
    // The title and the wide ages come with the first frame; the first text that changes does so after seven seconds.
    std::thread::sleep(Duration::from_millis(500));
    let before = console.bytes().len();
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(console.bytes().len(), before, "idle is silent");
    console.press("jj");
    console.until(120, 40, "▌leaf1");
    console.press("\r");
    console.until(120, 40, "constructs");
    console.press("q");
    console.press("q");
    let output = console.end();
    restored(&output);
    assert!(output.contains("console ended well"), "{output}");
    let frames = output.matches("\x1b[?2026h").count();
    assert_eq!(frames, output.matches("\x1b[?2026l").count() - 1, "the way out closes a frame that may be open");
}

#[test]
fn signals_give_the_terminal_back() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::HUP] {
        let console = Console::start("plain", &[]);
        console.until(120, 40, "leaf8");
        console.signal(signal);
        let output = console.end();
        restored(&output);
        assert!(output.contains("console ended well"), "{signal:?}");
    }
}

#[test]
fn a_panic_elsewhere_gives_the_terminal_back_before_it_is_told() {
    let mut console = Console::start("panic", &[]);
    console.until(120, 40, "leaf8");
    console.press("r");
    let output = console.end();
    restored(&output);
    let told = output.rfind("as asked").unwrap();
    assert!(told > output.rfind("\x1b[?1049l").unwrap());
    assert!(output.contains("a part of the program panicked"), "{output}");
}

#[test]
fn resizing_repaints_and_no_color_keeps_the_selection() {
    let mut console = Console::start("plain", &[("NO_COLOR", "1")]);
    console.until(120, 40, "leaf8");
    console.press("jj");
    console.until(120, 40, "▌leaf1");
    let parser = console.screen(120, 40);
    let reversed: String = (0..40)
        .flat_map(|y| (0..120).map(move |x| (y, x)))
        .filter_map(|(y, x)| parser.screen().cell(y, x))
        .filter(|cell| cell.inverse())
        .map(|cell| cell.contents().to_owned())
        .collect();
    assert_eq!(reversed.trim(), "leaf1");
    let output = String::from_utf8_lossy(&console.bytes()).into_owned();
    for colour in ["\x1b[38;2;", "\x1b[38;5;", "\x1b[48;", "\x1b[;m"] {
        assert!(!output.contains(colour), "{colour:?} under NO_COLOR");
    }
    console.master.resize(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
    let from = console.bytes().len();
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let size = |n: u16| NonZeroU16::new(n).unwrap();
        let mut parser = vt100::Parser::new(size(24), size(80), 0);
        parser.process(&console.bytes()[from..]);
        let text = parser.screen().contents();
        if text.contains("? help") && text.contains("▌leaf1") {
            break;
        }
        assert!(Instant::now() < end, "no repaint:\n{text}");
        std::thread::sleep(Duration::from_millis(20));
    }
    console.press("Q");
    restored(&console.end());
}

#[test]
fn suspending_without_a_shell_is_refused_in_words() {
    let mut console = Console::start("plain", &[]);
    console.until(120, 40, "leaf8");
    console.press("\x1a");
    console.until(120, 40, "no shell to suspend to");
    console.press("y");
    console.until(120, 40, "copied spine1");
    console.press("Q");
    let output = console.end();
    restored(&output);
    assert!(output.contains("\x1b]52;c;c3BpbmUx\x07"), "the clipboard got the device's name");
}
