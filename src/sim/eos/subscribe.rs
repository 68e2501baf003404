//! Subscribe: what a list of subscriptions asks for, and the stream that answers it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;
use tonic::{Code, Status, Streaming};

use super::convert::path_in;
use super::device::Device;
use super::fabric::{Fabric, PreEncoded};
use super::notify::{Shape, notifications};
use super::refusal::Refusal;
use super::server::check_origins;
use super::store::{Change, Leaf, State};
use crate::gnmi::wire::proto;
use crate::gnmi::wire::proto::subscribe_request::Request as Asked;
use crate::gnmi::wire::proto::subscribe_response::Response as Said;
use crate::gnmi::wire::proto::subscription_list::Mode;
use crate::path::Path;
use crate::value::Value;

type Out = Sender<Result<Bytes, Status>>;
type Rows = Vec<(Arc<Path>, Leaf)>;

/// One subscription.
struct Item {
    path: Path,
    /// `None` is on change.
    sample: Option<Duration>,
    heartbeat: Option<Duration>,
    suppress: bool,
    /// What a suppressing sample sent last, as of this time.
    sent_at: u64,
}

/// What a stream does.
struct Plan {
    mode: Mode,
    items: Vec<Item>,
    updates_only: bool,
    target: String,
}

/// Answers one Subscribe RPC until it ends. `first` is its first message, if somebody had to read it already; through a
/// collector the connection outlives the device, so the stream itself ends when the device goes away.
///
/// # Errors
/// The status the RPC ends with.
pub async fn run(
    fabric: &Fabric,
    device: &Device,
    first: Option<proto::SubscribeRequest>,
    mut input: Streaming<proto::SubscribeRequest>,
    out: &Out,
) -> Result<(), Status> {
    let mut cuts = device.cuts();
    let first = match first {
        Some(first) => Some(first),
        None => input.message().await?,
    };
    let Some(Asked::Subscribe(list)) = first.and_then(|request| request.request) else {
        return Err(Status::invalid_argument("the first message of a Subscribe must be a subscription list"));
    };
    let mut plan = plan(fabric, device, &list)?;
    let mut stream = Stream { fabric, device, out, target: plan.target.clone(), sent: 0 };
    let faults = device.faults();
    if faults.early_sync {
        stream.sync().await?;
    }
    // Watch first, then read: nothing that happens between the two is lost, and what is in both is only said twice.
    let mut changes = device.watch();
    device.refresh(fabric.wiring());
    let rows = collect(&device.lock().state, &plan.items);
    if !plan.updates_only && plan.mode != Mode::Poll {
        stream.rows(rows).await?;
    }
    if plan.mode != Mode::Poll && !faults.never_sync {
        if faults.late_sync_ms > 0 {
            tokio::time::sleep(Duration::from_millis(faults.late_sync_ms)).await;
        }
        stream.sync().await?;
    }
    match plan.mode {
        Mode::Once => Ok(()),
        Mode::Poll => {
            if device.faults().unimplemented.iter().any(|name| name == "poll") {
                return Err(Status::unimplemented("POLL is not supported"));
            }
            while let Some(request) = input.message().await? {
                if !matches!(request.request, Some(Asked::Poll(_))) {
                    return Err(Status::invalid_argument("only a Poll may follow the subscription list"));
                }
                device.refresh(fabric.wiring());
                let rows = collect(&device.lock().state, &plan.items);
                stream.rows(rows).await?;
                stream.sync().await?;
            }
            Ok(())
        }
        Mode::Stream => {
            if let Some(how) = fabric.options.pre_encoded {
                return stream.repeat(how, &plan, &mut changes).await;
            }
            let start = Instant::now();
            let mut due: Vec<(Instant, usize, bool)> = Vec::new();
            for (number, item) in plan.items.iter().enumerate() {
                due.extend(item.sample.map(|every| (start + every, number, false)));
                due.extend(item.heartbeat.map(|every| (start + every, number, true)));
            }
            let mut more = true;
            loop {
                let next = due.iter().enumerate().min_by_key(|(_, (at, _, _))| *at).map(|(slot, (at, _, _))| (slot, *at));
                let alarm = tokio::time::sleep_until(next.map_or_else(|| Instant::now() + Duration::from_secs(3600), |(_, at)| at));
                tokio::select! {
                    () = out.closed() => return Ok(()),
                    _ = cuts.changed() => return Err(super::server::away(&device.name)),
                    change = changes.recv() => match change {
                        Ok(change) => stream.change(&plan, &change).await?,
                        Err(RecvError::Lagged(_)) => return Err(Status::resource_exhausted("the subscriber is too slow")),
                        Err(RecvError::Closed) => return Err(Status::unavailable("the device is gone")),
                    },
                    request = input.message(), if more => match request? {
                        Some(_) => return Err(Status::invalid_argument("a STREAM subscription takes one subscription list")),
                        None => more = false,
                    },
                    () = alarm => if let Some((slot, _)) = next {
                        stream.alarm(&mut plan, &mut due, slot).await?;
                    },
                }
            }
        }
    }
}

fn plan(fabric: &Fabric, device: &Device, list: &proto::SubscriptionList) -> Result<Plan, Refusal> {
    let faults = device.faults();
    let bad = |text: &str| Refusal::new(Code::InvalidArgument, text);
    let mode = Mode::try_from(list.mode).map_err(|_| bad("unknown mode of a subscription list"))?;
    if list.subscription.is_empty() {
        return Err(bad("a subscription list needs a subscription"));
    }
    let (mut items, mut paths) = (Vec::new(), Vec::new());
    for subscription in &list.subscription {
        let path = path_in(subscription.path.as_ref(), list.prefix.as_ref())?;
        let refused = |refusal: Refusal| Refusal { code: Code::InvalidArgument, ..refusal.on("subscribe to", &path) };
        match path.origin.as_deref() {
            None => fabric.nodes().check_stream(&path).map_err(refused)?,
            Some("eos_native") => {
                let native = device.lock().config.lines.of("management api gnmi").any(|line| line == "provider eos-native");
                if !native {
                    return Err(refused(Refusal::no_node(&path, 0)));
                }
            }
            Some(_) => {}
        }
        if faults.refuse_subscribe.iter().any(|pattern| pattern.overlaps(&path)) {
            return Err(refused(Refusal::no_node(&path, path.len().saturating_sub(1))));
        }
        let kind = proto::SubscriptionMode::try_from(subscription.mode).map_err(|_| bad("unknown mode of a subscription"))?;
        if kind == proto::SubscriptionMode::OnChange && faults.refuse_on_change.iter().any(|pattern| pattern.overlaps(&path)) {
            return Err(Refusal::new(Code::Unimplemented, format!("ON_CHANGE is not supported for {path}")));
        }
        let span = |nanoseconds: u64| (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds));
        let sample = (kind == proto::SubscriptionMode::Sample)
            .then(|| span(subscription.sample_interval).unwrap_or(fabric.options.counters).max(fabric.options.min_sample));
        items.push(Item {
            path: path.clone(),
            sample,
            heartbeat: span(subscription.heartbeat_interval).map(|every| every.max(fabric.options.min_sample)),
            suppress: subscription.suppress_redundant,
            sent_at: device.now(),
        });
        paths.push(path);
    }
    check_origins(&paths)?;
    let target = list.prefix.as_ref().map_or(String::new(), |prefix| prefix.target.clone());
    Ok(Plan { mode, items, updates_only: list.updates_only, target: if faults.no_target { String::new() } else { target } })
}

fn collect(state: &State, items: &[Item]) -> Rows {
    let streamed = |leaf: &Leaf| !matches!(leaf.value, Value::Json(_));
    state
        .iter()
        .filter(|(path, leaf)| streamed(leaf) && items.iter().any(|item| item.path.covers(path)))
        .map(|(path, leaf)| (Arc::clone(path), leaf.clone()))
        .collect()
}

struct Stream<'a> {
    fabric: &'a Fabric,
    device: &'a Device,
    out: &'a Out,
    target: String,
    sent: u64,
}

impl Stream<'_> {
    /// Sends one message; ends the stream when the client is gone or a fault says so.
    async fn say(&mut self, said: Said) -> Result<(), Status> {
        let faults = self.device.faults();
        if faults.silent {
            return Ok(());
        }
        if faults.slow_stream_ms > 0 {
            tokio::time::sleep(Duration::from_millis(faults.slow_stream_ms)).await;
        }
        self.sent += 1;
        if faults.eof_after > 0 && self.sent > faults.eof_after {
            return Err(Status::unknown("EOF"));
        }
        let message = Bytes::from(proto::SubscribeResponse { response: Some(said), extension: Vec::new() }.encode_to_vec());
        let times = if faults.duplicate { 2 } else { 1 };
        for _ in 0..times {
            self.out.send(Ok(message.clone())).await.map_err(|_| Status::cancelled("the client is gone"))?;
        }
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), Status> {
        self.say(Said::SyncResponse(true)).await
    }

    /// Streams changes of the filler that are encoded once, again and again, and what else happens in between.
    async fn repeat(&mut self, how: PreEncoded, plan: &Plan, changes: &mut Receiver<Arc<Change>>) -> Result<(), Status> {
        let shape = self.shape();
        let rounds: Vec<Rows> = self.device.lock().filler.rounds().collect();
        let said = |notification| proto::SubscribeResponse { response: Some(Said::Update(notification)), extension: Vec::new() };
        let frames: Vec<(usize, Bytes)> = rounds
            .iter()
            .flat_map(|rows| notifications(self.fabric.nodes(), rows, &[], &shape))
            .map(|notification| (notification.update.len(), Bytes::from(said(notification).encode_to_vec())))
            .collect();
        let mut next = Instant::now();
        let mut round = frames.iter().cycle();
        loop {
            // No filler, nothing to repeat: the stream stays open for what happens.
            let frame = round.next();
            next += match (frame, how.rate) {
                (Some((updates, _)), Some(rate)) => Duration::from_secs_f64(*updates as f64 / rate),
                (Some(_), None) => Duration::ZERO,
                (None, _) => Duration::from_secs(3600),
            };
            loop {
                tokio::select! {
                    () = self.out.closed() => return Ok(()),
                    change = changes.recv() => match change {
                        Ok(change) => self.change(plan, &change).await?,
                        Err(RecvError::Lagged(_)) => return Err(Status::resource_exhausted("the subscriber is too slow")),
                        Err(RecvError::Closed) => return Err(Status::unavailable("the device is gone")),
                    },
                    () = tokio::time::sleep_until(next) => break,
                }
            }
            if let Some((_, frame)) = frame {
                self.out.send(Ok(frame.clone())).await.map_err(|_| Status::cancelled("the client is gone"))?;
            }
        }
    }

    fn shape(&self) -> Shape {
        let faults = self.device.faults();
        Shape {
            target: self.target.clone(),
            at: self.fabric.options.send_time.then(|| self.device.now()),
            seconds: faults.seconds,
            module_names: faults.module_names,
            old_paths: faults.old_paths,
            taint: faults.taint,
        }
    }

    async fn rows(&mut self, rows: Rows) -> Result<(), Status> {
        let shape = self.shape();
        for notification in notifications(self.fabric.nodes(), &rows, &[], &shape) {
            self.say(Said::Update(notification)).await?;
        }
        Ok(())
    }

    /// A change, as far as somebody subscribed to changes.
    async fn change(&mut self, plan: &Plan, change: &Change) -> Result<(), Status> {
        let wants = |path: &Path| plan.items.iter().any(|item| item.sample.is_none() && item.path.covers(path));
        let rows: Rows =
            change.updates.iter().filter(|(path, leaf)| wants(path) && !matches!(leaf.value, Value::Json(_))).cloned().collect();
        let deletes = self.gone(plan, change.deletes.iter().filter(|path| wants(path) && path.name() != "member"));
        if rows.is_empty() && deletes.is_empty() {
            return Ok(());
        }
        let faults = self.device.faults();
        if faults.late_telemetry_ms > 0 && !change.moving {
            tokio::time::sleep(Duration::from_millis(faults.late_telemetry_ms)).await;
        }
        let mut list =
            notifications(self.fabric.nodes(), &rows, &deletes, &Shape { at: self.shape().at.or(Some(change.at)), ..self.shape() });
        if faults.reorder {
            list.reverse();
        }
        for notification in list {
            self.say(Said::Update(notification)).await?;
        }
        Ok(())
    }

    /// Deletes, as high up as nothing is left: EOS deletes whole entries.
    fn gone<'p>(&self, plan: &Plan, deleted: impl Iterator<Item = &'p Arc<Path>>) -> Vec<Path> {
        let inner = self.device.lock();
        let mut gone: Vec<Path> = Vec::new();
        for path in deleted {
            if gone.last().is_some_and(|last| path.starts_with(last)) {
                continue;
            }
            let floor = plan
                .items
                .iter()
                .filter(|item| item.path.covers(path))
                .filter_map(|item| (0..=path.len()).find(|depth| item.path.matches(&path.first(*depth))))
                .min();
            let entry = (floor.unwrap_or(path.len())..path.len()).map(|depth| path.first(depth)).find(|above| {
                above.elems.last().is_some_and(|elem| !elem.keys.is_empty()) && super::store::below(&inner.state, above).next().is_none()
            });
            gone.push(entry.unwrap_or_else(|| (**path).clone()));
        }
        gone
    }

    /// A sample or a heartbeat is due.
    async fn alarm(&mut self, plan: &mut Plan, due: &mut [(Instant, usize, bool)], slot: usize) -> Result<(), Status> {
        let Some((at, number, heartbeat)) = due.get_mut(slot) else { return Ok(()) };
        let Some(item) = plan.items.get_mut(*number) else { return Ok(()) };
        let every = if *heartbeat { item.heartbeat } else { item.sample }.unwrap_or(Duration::from_secs(10));
        // A stream that fell behind skips samples instead of hurrying.
        *at = (*at + every).max(Instant::now());
        self.device.refresh(self.fabric.wiring());
        let mut rows = collect(&self.device.lock().state, std::slice::from_ref(item));
        if item.suppress && !*heartbeat && item.sample.is_some() {
            rows.retain(|(_, leaf)| leaf.changed > item.sent_at);
        }
        item.sent_at = self.device.now();
        self.rows(rows).await
    }
}
