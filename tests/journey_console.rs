//! The main job by hand: drift seen, staged, reviewed, armed, committed, verified, in a real terminal at both sizes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

#[path = "journey/process.rs"]
#[allow(dead_code)] // each journey takes what it needs of it
mod process;
#[path = "journey/terminal.rs"]
#[allow(dead_code)]
mod terminal;

use std::time::Duration;

use process::Lab;
use terminal::Terminal;

/// What another operator does meanwhile: sets the description of leaf1 Ethernet11.
fn describe(lab: &Lab, text: &str) {
    let update = format!("/interfaces/interface[name=Ethernet11]/config/description={}", serde_json::json!(text));
    let output = lab.run(&["--write", "discover", "set", "--target", "leaf1", "--yes", "--update", &update]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn repair(size: (u16, u16)) {
    let lab = Lab::start(&[]);
    let mut console = Terminal::start(&["--config", &lab.config], size);
    console.until("10 live 0 stale 0 down");
    console.until("drift 0");
    describe(&lab, "bar was here");
    console.until("drift 1");
    console.press("jj");
    console.until("leaf1: 1 change");
    console.press("\r");
    console.until("bar was here");
    console.press(" ");
    console.until("[x]");
    console.press("4");
    console.until("staged plan");
    console.press("\t"); // a low screen shows one pane at a time
    console.until("config/description");
    assert!(console.contents().contains("READ-ONLY"), "nothing is armed yet:\n{}", console.contents());
    console.press("A");
    console.until("ARMED");
    console.press("C");
    console.until("y commits");
    console.press("y\r");
    console.until("applied");
    console.press("1");
    console.until("drift 0");
    let (code, plan) = lab.json(&["plan", "--json"]);
    assert_eq!((code, plan["in_sync"].as_bool()), (0, Some(true)));
    console.press("Q");
    console.ends_clean();
}

#[test]
fn drift_is_repaired_at_120_by_40() {
    repair((40, 120));
}

#[test]
fn drift_is_repaired_at_80_by_24() {
    repair((24, 80));
}

#[test]
fn a_hostile_description_is_drawn_inert() {
    let lab = Lab::start(&[]);
    let mut console = Terminal::start(&["--config", &lab.config], (40, 120));
    console.until("drift 0");
    // OSC 52 writes the clipboard, CSI moves the cursor, U+202E turns text around.
    describe(&lab, "harm\u{1b}]52;c;aGFybQ==\u{7}less\u{1b}[2J\u{9b}31m\u{202e}text");
    console.until("drift 1");
    console.press("jj");
    console.until("leaf1: 1 change");
    console.press("\r");
    console.until("harm");
    let text = String::from_utf8_lossy(&console.bytes()).into_owned();
    for evil in ["\u{1b}]52", "==\u{7}", "\u{1b}[2Jless", "\u{9b}", "\u{202e}"] {
        assert!(!text.contains(evil), "{evil:?} reached the terminal");
    }
    console.press("Q");
    console.ends_clean();
}

#[test]
fn signals_leave_a_clean_terminal() {
    let lab = Lab::start(&[]);
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::HUP] {
        let console = Terminal::start(&["--config", &lab.config], (24, 80));
        console.until("10 live");
        let pid = rustix::process::Pid::from_raw(i32::try_from(console.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
        console.ends_clean();
    }
}

/// What a dropped SSH session does: the terminal is gone at once, with whatever was on its way. Found as a console that ate a
/// core for ever: its reader met the end of file before the signal was looked at.
#[test]
fn a_terminal_that_vanishes_ends_the_console() {
    let lab = Lab::start(&[]);
    for round in 0..6 {
        let size = portable_pty::PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pty = portable_pty::native_pty_system().openpty(size).unwrap();
        let mut command = portable_pty::CommandBuilder::new(process::BINARY);
        command.args(["--config", &lab.config]);
        command.env("TERM", "xterm-256color");
        let mut child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        // At different moments of its start and of its first frames.
        std::thread::sleep(Duration::from_millis(300 + 400 * round));
        drop(pty.master);
        let start = std::time::Instant::now();
        while child.try_wait().unwrap().is_none() {
            if start.elapsed() > Duration::from_secs(20) {
                child.kill().unwrap();
                panic!("round {round}: it does not end");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_device_that_dies_is_shown_and_the_others_go_on() {
    let lab = Lab::start(&["D24"]);
    let mut console = Terminal::start(&["--config", &lab.config], (40, 120));
    console.until("8 live");
    console.until("auth");
    assert!(console.until("drift 0") < Duration::from_secs(90));
    console.press("Q");
    console.ends_clean();
}
