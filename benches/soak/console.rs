//! The console in a pseudo-terminal: how long from a key until its effect is painted.

use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::process::{BINARY, Lab, Usage};

const ROWS: u16 = 60;
const COLUMNS: u16 = 200;
/// Between two keys: a fast typist.
const PAUSE: Duration = Duration::from_millis(100);
/// A key without effect by then is lost.
const LONGEST: Duration = Duration::from_secs(3);

/// The selected line: where it is, and what it says. Telemetry repaints the screen all the time, a key moves this.
type Selected = Option<(u16, String)>;

/// A console.
pub struct Console {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    /// Kept: the program gets SIGHUP when it goes.
    _master: Box<dyn MasterPty + Send>,
    moves: Receiver<(Instant, Selected)>,
    /// What it takes.
    pub usage: Usage,
    /// From its start until every device was live.
    pub live_after: Duration,
}

/// What was measured, milliseconds.
#[derive(Default)]
pub struct Keys {
    /// From writing a key until the bytes that show its effect were read.
    pub painted: Vec<f64>,
    /// Keys without effect.
    pub lost: usize,
}

impl Console {
    /// Starts, and waits until `devices` are live.
    pub fn start(lab: &Lab, devices: usize) -> Self {
        let begun = Instant::now();
        let pty = native_pty_system().openpty(PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(BINARY);
        command.args(["--config", &lab.config, "--theme", "dark"]);
        for (name, value) in [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LC_ALL", "C.UTF-8")] {
            command.env(name, value);
        }
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let size = |n: u16| NonZeroU16::new(n).unwrap();
        let parser = Arc::new(Mutex::new(vt100::Parser::new(size(ROWS), size(COLUMNS), 0)));
        let (mut reader, screen) = (pty.master.try_clone_reader().unwrap(), Arc::clone(&parser));
        let (send, moves) = channel();
        std::thread::spawn(move || {
            let (mut buf, mut last) = ([0; 65_536], None);
            while let Ok(count @ 1..) = reader.read(&mut buf) {
                let at = Instant::now();
                let mut parser = screen.lock().unwrap();
                parser.process(&buf[..count]);
                let now = selected(parser.screen());
                if now != last {
                    last.clone_from(&now);
                    let _ = send.send((at, now));
                }
            }
        });
        let writer = pty.master.take_writer().unwrap();
        let usage = Usage::of(child.process_id().unwrap());
        let word = format!("{devices} live 0 stale 0 down");
        while !parser.lock().unwrap().screen().contents().contains(&word) {
            assert!(begun.elapsed() < Duration::from_secs(300), "`{word}` never came:\n{}", parser.lock().unwrap().screen().contents());
            std::thread::sleep(Duration::from_millis(100));
        }
        Self { child, writer, _master: pty.master, moves, usage, live_after: begun.elapsed() }
    }

    /// Moves the cursor down and up for so long.
    pub fn keys(&mut self, long: Duration) -> Keys {
        let mut keys = Keys::default();
        let begun = Instant::now();
        for number in 0.. {
            if begun.elapsed() >= long {
                break;
            }
            while self.moves.try_recv().is_ok() {}
            let key = if number % 200 < 100 { "\x1b[B" } else { "\x1b[A" };
            let pressed = Instant::now();
            self.writer.write_all(key.as_bytes()).unwrap();
            self.writer.flush().unwrap();
            match self.moves.recv_timeout(LONGEST) {
                Ok((at, _)) => keys.painted.push(at.duration_since(pressed).as_secs_f64() * 1e3),
                Err(_) => keys.lost += 1,
            }
            std::thread::sleep(PAUSE);
        }
        keys
    }
}

/// The line of the list that is drawn reversed, as far as telemetry does not touch it.
fn selected(screen: &vt100::Screen) -> Selected {
    (1..ROWS - 1).find_map(|row| {
        let name: String = (0..24).filter_map(|column| screen.cell(row, column)).map(|cell| cell.contents().to_owned()).collect();
        let reversed = (0..24).filter_map(|column| screen.cell(row, column)).any(vt100::Cell::inverse);
        reversed.then_some((row, name))
    })
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
