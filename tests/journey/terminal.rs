//! The console in a pseudo-terminal, read through a terminal emulator.

use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// A program in a terminal of a fixed size.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    /// Kept: the program gets SIGHUP when it goes.
    _master: Box<dyn MasterPty + Send>,
    seen: Arc<Mutex<Vec<u8>>>,
    size: (u16, u16),
}

impl Terminal {
    /// Starts `fabric-orch` with these arguments in a terminal of `(rows, columns)`.
    pub fn start(args: &[&str], size: (u16, u16)) -> Self {
        let pty = native_pty_system().openpty(PtySize { rows: size.0, cols: size.1, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_fabric-orch"));
        command.args(args);
        for (name, value) in [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LC_ALL", "C.UTF-8")] {
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
        Self { child, writer, _master: pty.master, seen, size }
    }

    /// Every byte it wrote.
    pub fn bytes(&self) -> Vec<u8> {
        self.seen.lock().unwrap().clone()
    }

    /// The terminal as it stands.
    pub fn parser(&self) -> vt100::Parser {
        let size = |n: u16| NonZeroU16::new(n).unwrap();
        let mut parser = vt100::Parser::new(size(self.size.0), size(self.size.1), 0);
        parser.process(&self.bytes());
        parser
    }

    /// The text on the screen.
    pub fn contents(&self) -> String {
        self.parser().screen().contents()
    }

    /// Waits until the screen holds `word`; says how long that took.
    pub fn until(&self, word: &str) -> Duration {
        let start = Instant::now();
        while !self.contents().contains(word) {
            assert!(start.elapsed() < Duration::from_secs(90), "`{word}` never came:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(20));
        }
        start.elapsed()
    }

    /// Types keys.
    pub fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Waits for its end and holds that the terminal was given back as it was found.
    pub fn ends_clean(mut self) {
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(30), "it does not end:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(200));
        let output = String::from_utf8_lossy(&self.bytes()).into_owned();
        for (set, reset) in [("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?2004h", "\x1b[?2004l"), ("\x1b[?25l", "\x1b[?25h")] {
            assert!(output.contains(set) && output.rfind(reset) > output.rfind(set), "{set:?} is not taken back");
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
