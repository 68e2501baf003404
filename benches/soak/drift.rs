//! Changes a managed leaf of one device after the other, and waits until the mirror says so.

use std::io::{BufRead as _, BufReader};
use std::process::ChildStderr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fabric_orchestrator::gnmi::{Client, Credentials, DataType, Encoding, SetParts, Target};
use fabric_orchestrator::path::Path;
use fabric_orchestrator::sim::lab::LOGIN;
use fabric_orchestrator::value::Value;
use secrecy::SecretString;

use crate::process::Lab;

/// What every device of the lab has, and intent asks for.
const LEAF: &str = "/interfaces/interface[name=Loopback0]/config/description";
/// Between two changes.
const PAUSE: Duration = Duration::from_millis(250);
/// An event that did not come by then is lost.
const LONGEST: Duration = Duration::from_secs(5);

/// The lines a mirror says, each with the time it was read.
pub struct Lines(Receiver<(u128, String)>);

impl Lines {
    /// Read from here.
    pub fn of(stderr: ChildStderr) -> Self {
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if send.send((now(), line)).is_err() {
                    return;
                }
            }
        });
        Self(lines)
    }

    /// When the mirror said this of the device.
    fn wait(&self, device: &str, word: &str) -> Option<u128> {
        let begun = Instant::now();
        loop {
            let (at, line) = self.0.recv_timeout(LONGEST.checked_sub(begun.elapsed())?).ok()?;
            // `2026-11-22 16:31:09 leaf1 drift +1 …`
            if line.split(' ').nth(2) == Some(device) && line.contains(word) {
                return Some(at);
            }
        }
    }
}

/// Nanoseconds since the Unix epoch: the devices of the lab have this clock too.
fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// What was measured, milliseconds.
#[derive(Default)]
pub struct Drifted {
    /// From the device's own time of the change until the line was read.
    pub events: Vec<f64>,
    /// The same from when the Set was sent.
    pub from_set: Vec<f64>,
    /// The same from when the device had answered the Set: 0 when the line was there first. What a device of 5,000 leaves takes to
    /// apply a Set is the lab's own time, and no part of this.
    pub from_answer: Vec<f64>,
    /// Sets made.
    pub sets: usize,
    /// Changes nobody told of.
    pub lost: usize,
}

/// Changes things until it is stopped.
pub struct Drifter {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Drifted>,
}

impl Drifter {
    /// Without lines it only changes.
    pub fn start(lab: &Lab, lines: Option<Lines>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (devices, over) = (lab.devices.clone(), Arc::clone(&stop));
        let task = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(changes(&devices, lines.as_ref(), &over))
        });
        Self { stop, task }
    }

    /// What came of it.
    pub fn stop(self) -> Drifted {
        self.stop.store(true, Ordering::SeqCst);
        self.task.join().unwrap()
    }
}

async fn changes(devices: &[(String, String)], lines: Option<&Lines>, over: &AtomicBool) -> Drifted {
    let mut drifted = Drifted::default();
    let path = Path::parse(LEAF).unwrap();
    // A step without a common divisor meets them all, in no order anybody could like.
    for number in (0..).map(|at: usize| at * 607 % devices.len()) {
        tokio::task::yield_now().await;
        let Some((name, address)) = devices.get(number).filter(|_| !over.load(Ordering::SeqCst)) else { break };
        let mut target = Target::new(name.as_str(), address.as_str()).plaintext();
        target.credentials = Some(Credentials { username: LOGIN.0.into(), password: SecretString::from(LOGIN.1) });
        let client = Client::connect(&target).await.unwrap();
        // A spine may have none.
        let Ok(have) = client.get(std::slice::from_ref(&path), DataType::All, Encoding::JsonIetf).await else { continue };
        let have = have.into_iter().flat_map(|said| said.updates).find_map(|(_, value)| match value.ok()? {
            Value::Str(text) => Some(text.to_string()),
            Value::Json(json) => json.as_str().map(str::to_owned),
            _ => None,
        });
        let Some(have) = have else { continue };
        for (text, word) in [(format!("{have} soak"), "drift +1"), (have.clone(), "drift -1")] {
            let sent = now();
            let parts = SetParts { update: vec![(path.clone(), text.into())], ..SetParts::default() };
            let changed = u128::try_from(client.set(&parts).await.unwrap().timestamp).unwrap();
            let answered = now();
            drifted.sets += 1;
            if let Some(lines) = lines {
                let told = lines.wait(name, word);
                match told {
                    Some(at) => {
                        drifted.events.push(at.saturating_sub(changed) as f64 / 1e6);
                        drifted.from_set.push(at.saturating_sub(sent) as f64 / 1e6);
                        drifted.from_answer.push(at.saturating_sub(answered) as f64 / 1e6);
                    }
                    None => drifted.lost += 1,
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    drifted
}
