//! The monitor without a screen: `serve` answers /healthz and /metrics, `drift watch` tells what comes and goes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

#[path = "journey/process.rs"]
#[allow(dead_code)] // each journey takes what it needs of it
mod process;

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fabric_orchestrator::sim::netbox::hook::signature;
use process::{BINARY, Lab, send};
use serde_json::Value;

/// A command that goes on until it is told to end.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(config: &str, args: &[&str]) -> Self {
        let mut child =
            Command::new(BINARY).args(["--config", config]).args(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn json(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// Ends it as an operator or systemd does; its exit code.
    fn end(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status line and body.
fn get(address: &str, page: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {page} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// Asks until the page holds `word`.
fn until(address: &str, page: &str, word: &str) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let (_, body) = get(address, page);
        if body.contains(word) {
            return body;
        }
        assert!(Instant::now() < end, "{page} never says {word}:\n{body}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn serve_answers_health_and_metrics_and_ends_on_a_signal() {
    let lab = Lab::start(&["D22"]);
    let mut serve = Running::start(&lab.config, &["serve", "--listen", "127.0.0.1:0"]);
    let listen = serve.json()["listen"].as_str().unwrap().to_owned();
    until(&listen, "/healthz", "\"live\":10");
    let (status, body) = get(&listen, "/healthz");
    assert!(status.contains("200"), "{status} {body}");
    let page = until(&listen, "/metrics", "fabric_orch_drift_changes{fabric=\"lab\",device=\"leaf4\"} 1");
    for line in [
        "fabric_orch_streams{fabric=\"lab\",state=\"live\"} 10",
        "fabric_orch_drift_changes{fabric=\"lab\",device=\"leaf1\"} 0",
        "fabric_orch_in_sync{fabric=\"lab\"} 0",
        "fabric_orch_netbox_up{fabric=\"lab\"} 1",
        "fabric_orch_updates_dropped_total{fabric=\"lab\",device=\"spine1\"} 0",
    ] {
        assert!(page.contains(line), "no {line} in\n{page}");
    }
    assert!(get(&listen, "/secrets").0.contains("404"));

    // Somebody repairs it in another process: the monitor sees it.
    let (code, done) = lab.json(&["apply", "--yes", "--json"]);
    assert_eq!(code, 0, "{done:#}");
    until(&listen, "/metrics", "fabric_orch_in_sync{fabric=\"lab\"} 1");
    assert_eq!(serve.end(), Some(0));
}

#[test]
fn an_address_that_is_taken_is_said() {
    let lab = Lab::start(&[]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = lab.run(&["serve", "--listen", &address]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("{address} cannot be listened on")) && said.contains("--listen"), "{said}");
}

#[test]
fn drift_watch_tells_what_comes_and_goes() {
    let lab = Lab::start(&["D22"]);
    let mut watch = Running::start(&lab.config, &["drift", "watch", "--json"]);
    let first = watch.json();
    assert_eq!((&first["moved"], &first["change"]["device"]), (&"appeared".into(), &"leaf4".into()), "{first:#}");
    assert_eq!(lab.json(&["apply", "--yes", "--json"]).0, 0);
    let then = watch.json();
    assert_eq!((&then["moved"], &then["device"]), (&"cleared".into(), &"leaf4".into()), "{then:#}");
    assert_eq!(then["path"], first["change"]["path"]);
    assert_eq!(watch.end(), Some(0));
}

/// A hook as NetBox signs it, the secret of these settings in its key.
fn hook(stamp: &str, secret: &str) -> (String, String) {
    let body = format!(
        r#"{{"event":"updated","timestamp":"{stamp}","object_type":"dcim.interface","data":{{}},"request":{{"id":"7","user":"ann"}},"snapshots":{{}}}}"#
    );
    let signature = signature(secret.as_bytes(), body.as_bytes());
    (body, signature)
}

/// The lab's settings with more in the NetBox table.
fn settings(lab: &Lab, more: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(&lab.config).unwrap();
    let changed = text.replace("[fabric.lab.netbox]\n", &format!("[fabric.lab.netbox]\n{more}\n"));
    assert_ne!(text, changed);
    let file = folder.path().join("config.toml");
    std::fs::write(&file, changed).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    (folder, file.to_str().unwrap().to_owned())
}

/// Edits an interface's description in NetBox as a person does.
fn describe(lab: &Lab, id: u64, text: &str) {
    let (status, _) = lab.netbox("PATCH", &format!("/api/dcim/interfaces/{id}/"), &[], &format!(r#"{{"description":"{text}"}}"#));
    assert_eq!(status, 200);
}

#[test]
fn an_edit_in_netbox_is_desired_state_soon() {
    let lab = Lab::start(&[]);
    // Nobody tells: the change log is looked at every second.
    let mut serve = Running::start(&lab.config, &["serve", "--listen", "127.0.0.1:0"]);
    let listen = serve.json()["listen"].as_str().unwrap().to_owned();
    until(&listen, "/metrics", "fabric_orch_in_sync{fabric=\"lab\"} 1");
    describe(&lab, 46, "by feed");
    until(&listen, "/metrics", "fabric_orch_drift_changes{fabric=\"lab\",device=\"leaf3\"} 1");
    describe(&lab, 46, "spine1");
    until(&listen, "/metrics", "fabric_orch_in_sync{fabric=\"lab\"} 1");
    assert_eq!(send(&listen, "POST", "/webhook/netbox", &[], "{}").0, 404, "no secret, no hooks");
    assert_eq!(serve.end(), Some(0));

    // The change log is not looked at by itself: only a hook makes it.
    let (_folder, config) = settings(&lab, "poll_seconds = 3600\nwebhook_secret = \"hush\"");
    let mut serve = Running::start(&config, &["serve", "--listen", "127.0.0.1:0"]);
    let listen = serve.json()["listen"].as_str().unwrap().to_owned();
    until(&listen, "/metrics", "fabric_orch_in_sync{fabric=\"lab\"} 1");
    describe(&lab, 46, "by hook");
    let now = jiff::Timestamp::now().to_string();
    let post = |(body, signature): &(String, String)| send(&listen, "POST", "/webhook/netbox", &[("X-Hook-Signature", signature)], body).0;
    assert_eq!(post(&hook(&now, "guess")), 401);
    assert_eq!(post(&hook("2020-01-01T00:00:00Z", "hush")), 409, "an old one");
    let genuine = hook(&now, "hush");
    assert_eq!(post(&genuine), 202);
    until(&listen, "/metrics", "fabric_orch_drift_changes{fabric=\"lab\",device=\"leaf3\"} 1");
    assert_eq!(post(&genuine), 409, "a replay");
    assert_eq!(serve.end(), Some(0));
}
