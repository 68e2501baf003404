//! A lab in a process of its own, and commands run on it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// The program.
pub const BINARY: &str = env!("CARGO_BIN_EXE_fabric-orch");

/// A lab in a process of its own.
pub struct Lab {
    child: Child,
    /// Settings file.
    pub config: String,
    /// NetBox.
    pub url: String,
    /// Its token.
    pub token: String,
}

impl Lab {
    /// Starts with these scenarios.
    pub fn start(scenarios: &[&str]) -> Self {
        Self::serve(&[], scenarios)
    }

    /// Starts with more arguments.
    pub fn serve(more: &[&str], scenarios: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["lab", "--headless"]).args(more);
        scenarios.iter().for_each(|id| _ = command.args(["--scenario", id]));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(said["devices"].as_array().unwrap().len(), 10);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self { child, config: text(&said["config"]), url: text(&said["netbox"]["url"]), token: text(&said["netbox"]["token"]) }
    }

    /// Runs a command.
    pub fn run(&self, args: &[&str]) -> Output {
        Command::new(BINARY).args(["--config", &self.config]).args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// Exit code and JSON document.
    pub fn json(&self, args: &[&str]) -> (i32, Value) {
        let output = self.run(args);
        let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{args:?}: {error}\n{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        });
        (output.status.code().unwrap(), document)
    }

    /// Calls its NetBox as a person does; status and body.
    pub fn netbox(&self, method: &str, page: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let token = format!("Bearer {}", self.token);
        let headers: Vec<_> = headers.iter().copied().chain([("Authorization", token.as_str())]).collect();
        let (status, text) = send(self.url.strip_prefix("http://").unwrap(), method, page, &headers, body);
        (status, serde_json::from_str(&text).unwrap_or_default())
    }
}

/// Sends one request; status and body.
pub fn send(address: &str, method: &str, page: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    write!(
        stream,
        "{method} {page} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n{body}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split_whitespace().nth(1).unwrap().parse().unwrap(), body.to_owned())
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
