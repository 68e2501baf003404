//! The real program in a pseudo-terminal: `fabric-orch lab` comes up with ten live devices, is silent when nothing happens,
//! answers keys and leaves a clean terminal. Ignored by default only because it starts a whole fabric: `cargo test --test
//! pty -- --ignored`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

#[test]
#[ignore = "starts the whole lab; run by .ci/run"]
fn the_lab_comes_up_live_stays_silent_and_leaves_a_clean_terminal() {
    let state = tempfile::tempdir().unwrap();
    let pty = native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_fabric-orch"));
    command.arg("lab");
    for (name, value) in [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8"), ("FABRIC_ORCH_STATE", state.path().to_str().unwrap())] {
        command.env(name, value);
    }
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (mut reader, sink) = (pty.master.try_clone_reader().unwrap(), Arc::clone(&seen));
    std::thread::spawn(move || {
        let mut buf = [0; 65_536];
        while let Ok(count @ 1..) = reader.read(&mut buf) {
            sink.lock().unwrap().extend_from_slice(&buf[..count]);
        }
    });
    let contents = || {
        let size = |n: u16| NonZeroU16::new(n).unwrap();
        let mut parser = vt100::Parser::new(size(24), size(80), 0);
        parser.process(&seen.lock().unwrap());
        parser.screen().contents()
    };
    let until = |word: &str| {
        let end = Instant::now() + Duration::from_secs(60);
        while !contents().contains(word) {
            assert!(Instant::now() < end, "`{word}` never came:\n{}", contents());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    until("10 live 0 stale 0 down");
    until("drift 0");
    // The first steps of the ages (`<15s`, `<1m`) come once: silence is measured after them.
    until("intent <5m");
    std::thread::sleep(Duration::from_secs(2));
    let before = seen.lock().unwrap().len();
    std::thread::sleep(Duration::from_secs(10));
    assert_eq!(seen.lock().unwrap().len() - before, 0, "idle for ten seconds writes nothing");
    let mut writer = pty.master.take_writer().unwrap();
    writer.write_all(b"3/").unwrap();
    until("find:");
    writer.write_all(b"bgp neighbor session-state\r").unwrap();
    until("ESTABLISHED");
    writer.write_all(b"Q").unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "it does not end:\n{}", contents());
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(200));
    let output = String::from_utf8_lossy(&seen.lock().unwrap()).into_owned();
    for (set, reset) in [("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?2004h", "\x1b[?2004l"), ("\x1b[?25l", "\x1b[?25h")] {
        assert!(output.rfind(reset) > output.rfind(set), "{set:?} is not taken back");
    }
}
