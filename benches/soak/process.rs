//! The processes of a soak, and what the system says of them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Asked;

/// The program.
pub const BINARY: &str = env!("CARGO_BIN_EXE_fabric-orch");

/// What the system says of a process.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pid: u32,
}

impl Usage {
    /// Of this process.
    pub fn of(pid: u32) -> Self {
        Self { pid }
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Resident memory, KiB: VmRSS.
    pub fn resident(&mut self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(f64::NAN)
    }

    /// Seconds of CPU it has used.
    pub fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let fields: Vec<f64> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().filter_map(|field| field.parse().ok()).collect();
        // After the name and the letter of the state: utime and stime are the 11th and 12th, in hundredths on every Linux.
        (fields.get(10).unwrap_or(&f64::NAN) + fields.get(11).unwrap_or(&f64::NAN)) / 100.0
    }
}

/// The lab.
pub struct Lab {
    child: Child,
    /// Settings file.
    pub config: String,
    /// Name and address of its devices.
    pub devices: Vec<(String, String)>,
    /// What it takes.
    pub usage: Usage,
}

impl Lab {
    /// Of the size asked for.
    pub fn start(asked: &Asked) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["lab", "--headless", "--pre-encoded", "--clone", &asked.devices.to_string()]);
        command.args(["--leaves", &asked.leaves.to_string(), "--churn", &asked.churn.to_string()]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let said = first_line(&mut child);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let devices = said["devices"].as_array().unwrap().iter().map(|device| (text(&device["name"]), text(&device["address"]))).collect();
        let usage = Usage::of(child.id());
        Self { config: text(&said["config"]), devices, usage, child }
    }
}

fn first_line(child: &mut Child) -> Value {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Asked, not killed: it has a folder to remove.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// `serve` on a lab.
pub struct Serve {
    child: Child,
    listen: String,
    /// What it says.
    pub stderr: Option<ChildStderr>,
    /// What it takes.
    pub usage: Usage,
    /// From its start until every device was live.
    pub live_after: Duration,
}

/// What `/metrics` counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// Devices live.
    pub live: f64,
    /// Leaf updates received.
    pub updates: f64,
    /// Thrown away.
    pub dropped: f64,
    /// Streams set up again.
    pub resyncs: f64,
}

impl Serve {
    /// Starts, and waits until `devices` are live.
    pub fn start(lab: &Lab, devices: usize) -> Self {
        let begun = Instant::now();
        let mut command = Command::new(BINARY);
        command.args(["--config", &lab.config, "serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = first_line(&mut child);
        let usage = Usage::of(child.id());
        let stderr = child.stderr.take();
        let listen = said["listen"].as_str().unwrap().to_owned();
        let mut serve = Self { child, listen, stderr, usage, live_after: Duration::ZERO };
        while (serve.counted().live as usize) < devices {
            assert!(begun.elapsed() < Duration::from_secs(300), "only {} of {devices} devices are live", serve.counted().live);
            std::thread::sleep(Duration::from_millis(200));
        }
        serve.live_after = begun.elapsed();
        serve
    }

    /// What it counts now.
    pub fn counted(&self) -> Counted {
        let mut stream = TcpStream::connect(&self.listen).unwrap();
        stream.write_all(format!("GET /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.listen).as_bytes()).unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        let sum = |name: &str| -> f64 {
            let samples = page.lines().filter(|line| line.starts_with(name));
            samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        Counted {
            live: sum("fabric_orch_stream_live{"),
            updates: sum("fabric_orch_updates_total{"),
            dropped: sum("fabric_orch_updates_dropped_total{"),
            resyncs: sum("fabric_orch_resyncs_total{"),
        }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
