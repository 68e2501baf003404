//! A lab with the engine on it, and a wire to one device that can be made to swallow everything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fabric_orchestrator::config::{self, Asked, Env, Settings};
use fabric_orchestrator::diff::change::ChangeKey;
use fabric_orchestrator::engine::command::Command;
use fabric_orchestrator::engine::snapshot::{CommitStep, DeviceView, Phase, Snapshot, Stream};
use fabric_orchestrator::engine::{Engine, Handle, Options};
use fabric_orchestrator::path::Path;
use fabric_orchestrator::sim::eos::{Device, Faults};
use fabric_orchestrator::sim::lab::{Lab, LabData, LabOptions};
use fabric_orchestrator::value::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A lab and the engine on it.
pub struct Fixture {
    pub lab: Lab,
    pub engine: Handle,
}

impl Fixture {
    /// With faults of leaf1 from the start.
    pub async fn start(telemetry: bool, faults: Faults) -> Self {
        Self::with(telemetry, faults, |_, _| {}).await
    }

    /// And with other settings; the address of leaf1 is given along.
    pub async fn with(telemetry: bool, faults: Faults, change: impl FnOnce(&mut Settings, SocketAddr)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default(); // another test may have
        let lab = Lab::start(LabData::embedded().unwrap(), LabOptions::default()).await.unwrap();
        lab.fabric().device("leaf1").unwrap().with_faults(|have| *have = faults);
        let asked = Asked { config: Some(lab.config_file.clone()), write: true, ..Asked::default() };
        let mut settings = config::load(&asked, &Env::lab()).unwrap();
        settings.timing.sample = Duration::from_secs(1);
        settings.timing.stale = Duration::from_secs(1);
        settings.timing.settle = Duration::from_secs(1);
        change(&mut settings, lab.devices.iter().find(|(name, _)| name == "leaf1").unwrap().1);
        let options = Options { telemetry, ..Options::once(Vec::new(), None, Vec::new()) };
        let mut engine = Engine::start(settings, options).unwrap();
        let snapshot = engine.settled(Duration::from_secs(60)).await.unwrap();
        assert!(snapshot.settled(), "{:?}", snapshot.events);
        Self { lab, engine }
    }

    pub fn device(&self, name: &str) -> Arc<Device> {
        Arc::clone(self.lab.fabric().device(name).unwrap())
    }

    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        self.device("leaf1").with_faults(change);
    }

    /// The view of leaf1 once it is so; the others stay live meanwhile.
    pub async fn until(&mut self, what: &str, so: impl Fn(&DeviceView) -> bool) -> Arc<DeviceView> {
        let snapshot = self.engine.until(Duration::from_secs(60), |snapshot| so(leaf1(snapshot))).await.unwrap();
        let view = Arc::clone(leaf1(&snapshot));
        assert!(so(&view), "never {what}: {:?} {} {:?} {:?}", view.stream, view.trouble, view.counters, view.notes);
        let others = snapshot.devices.iter().filter(|view| &*view.name != "leaf1");
        assert!(others.into_iter().all(|view| view.stream == Stream::Live), "{what}: the others are not concerned");
        view
    }

    /// Somebody sets these leaves on leaf1 by hand; waits until that is all that differs.
    pub async fn drift(&mut self, leaves: &[(&Path, Value)]) {
        let updates: Vec<_> = leaves.iter().map(|(path, value)| serde_json::json!({"path": path, "value": value})).collect();
        let script = serde_json::json!({"device": "leaf1", "set": {"update": updates}});
        self.lab.fabric().apply_event(&serde_json::from_value(script).unwrap()).unwrap();
        self.until("drift", |view| view.changes.as_ref().is_some_and(|changes| changes.len() == leaves.len())).await;
    }

    /// Commits everything that differs on leaf1 and waits for its end.
    pub async fn commit(&mut self) -> CommitStep {
        let snapshot = Arc::clone(&self.engine.snapshots.borrow());
        let keys: Vec<ChangeKey> = leaf1(&snapshot).changes.as_ref().unwrap().iter().map(|change| change.key()).collect();
        let before = snapshot.commit.as_ref().map_or(0, |commit| commit.id);
        self.engine.send(Command::Arm).await.unwrap();
        self.engine.send(Command::Stage(keys.clone())).await.unwrap();
        let limit = Duration::from_secs(60);
        let ready = |snapshot: &Snapshot| snapshot.armed_until.is_some() && keys.iter().all(|key| snapshot.staged.contains(key));
        let snapshot = self.engine.until(limit, ready).await.unwrap();
        let hash = snapshot.staged_plan.as_ref().expect("a plan of what is staged").hash.clone();
        self.engine.send(Command::Commit { hash }).await.unwrap();
        let ended = |snapshot: &Snapshot| snapshot.commit.as_ref().is_some_and(|commit| commit.id != before && commit.ended.is_some());
        let snapshot = self.engine.until(limit, ended).await.unwrap();
        let commit = snapshot.commit.as_ref().expect("a commit");
        assert!(commit.steps.iter().all(|step| matches!(step.phase, Phase::Done(_))), "{commit:?}");
        commit.steps[0].clone()
    }

    /// What the console said of leaf1, newest last.
    pub fn said(&self) -> Vec<String> {
        let snapshot = self.engine.snapshots.borrow();
        snapshot.events.iter().filter(|event| &*event.source == "leaf1").map(|event| event.text.clone()).collect()
    }

    pub async fn end(self) {
        self.engine.stop().await;
        self.lab.shutdown().await;
    }
}

pub fn leaf1(snapshot: &Snapshot) -> &Arc<DeviceView> {
    snapshot.devices.iter().find(|view| &*view.name == "leaf1").unwrap()
}

pub fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// Something in the middle that forgets its connections without a word: they stand, and nothing passes any more.
pub struct Middle {
    pub address: SocketAddr,
    swallow: watch::Sender<bool>,
}

impl Middle {
    /// In front of a server.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, (swallow, swallows)) = (listener.local_addr().unwrap(), watch::channel(false));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (up, down) = (swallows.clone(), swallows.clone());
                tokio::spawn(async move {
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = TcpStream::connect(server).await.unwrap().into_split();
                    tokio::join!(pump(from_client, to_server, up), pump(from_server, to_client, down));
                });
            }
        });
        Self { address, swallow }
    }

    /// From now on, or no longer: connections that were swallowed are reset then.
    pub fn swallow(&self, swallow: bool) {
        self.swallow.send_replace(swallow);
    }
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut swallows: watch::Receiver<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let swallowed = async { swallows.wait_for(|swallows| *swallows).await.is_ok() };
        let count = tokio::select! {
            biased;
            _ = swallowed => None,
            count = from.read(&mut buffer) => Some(count),
        };
        match count {
            Some(Ok(count)) if count > 0 && to.write_all(&buffer[..count]).await.is_ok() => {}
            Some(_) => return,
            None => {
                // Neither a FIN nor an RST until it lets go.
                let _ = swallows.wait_for(|swallows| !*swallows).await.is_ok();
                return;
            }
        }
    }
}
