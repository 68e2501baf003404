//! What telemetry costs the console: client CPU-seconds per million leaf updates, received over a real connection, decoded
//! and applied to a mirror of 5,000 leaves, at 1, 10 and 100 updates a notification. And what a leaf of the mirror weighs.
//!
//! Three ways in one run on one machine, so that ratios mean something: the bare stream (gRPC and nothing more: the limit),
//! ours, and the same with prost in the place of our walk. They take turns, and the median of all turns counts.
//! `cargo bench --bench mirror [-- MILLIONS]`; how to read it: `benches/README.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // a bench prints its numbers, and stops when it cannot

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use fabric_orchestrator::gnmi::session::Subscription;
use fabric_orchestrator::gnmi::subscribe::{ListMode, subscribe_request};
use fabric_orchestrator::gnmi::wire::batch::Batch;
use fabric_orchestrator::gnmi::wire::proto::{self, subscribe_response, typed_value};
use fabric_orchestrator::gnmi::wire::walk::{Decoder, Scratch};
use fabric_orchestrator::gnmi::wire::{codec, convert};
use fabric_orchestrator::gnmi::{Client, Encoding, SchemaCanon, Target};
use fabric_orchestrator::path::Path;
use fabric_orchestrator::tree::{Paths, Tree};
use fabric_orchestrator::yang::Schema;
use futures_util::stream::StreamExt as _;
use prost::Message as _;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic::{Request, Response, Status, Streaming};

const LEAVES: usize = 5000;
const TURNS: usize = 5;

/// `updates a message`, whether the device says its leaves in another order every round, and the limits: times raw, times prost.
const ROWS: &[(usize, bool, Option<f64>, Option<f64>)] =
    &[(1, false, None, Some(0.5)), (10, false, Some(3.0), Some(0.35)), (100, false, None, None), (10, true, None, None)];

fn main() {
    let millions: f64 = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1.0);
    let schema = Arc::new(Schema::eos().unwrap());
    println!("client CPU-seconds per million leaf updates, {LEAVES} leaves, one core, loopback without TLS, median of {TURNS}");
    println!("{:>16} {:>11} {:>9} {:>9} {:>16} {:>18}", "updates/message", "raw stream", "ours", "prost", "ours/raw", "ours/prost");
    for (per, shuffled, most_raw, most_prost) in ROWS.iter().copied() {
        let messages: Arc<[Bytes]> = (0..4).flat_map(|round| messages(per, round, shuffled)).collect();
        let address = serve(Arc::clone(&messages));
        let count = |millions: f64| (millions * 1e6) as usize / per;
        let (mut raw, mut ours, mut prost) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            raw.push(run(&address, count(millions), |_| {}));
            ours.push(mirror(&schema, &address, count(millions), |decoder, bytes, scratch, batch| {
                decoder.decode(bytes, scratch, batch).unwrap();
            }));
            prost.push(mirror(&schema, &address, count(millions / 8.0), |decoder, bytes, _, batch| {
                decoder.decode_any(bytes, batch).unwrap();
            }));
        }
        let (raw, ours, prost) = (median(raw), median(ours), median(prost));
        let name = format!("{per}{}", if shuffled { ", shuffled" } else { "" });
        let (by_raw, by_prost) = (ours / raw, ours / prost);
        println!(
            "{name:>16} {raw:>11.3} {ours:>9.3} {prost:>9.3} {:>16} {:>18}",
            against(by_raw, most_raw, 2),
            against(by_prost, most_prost, 3)
        );
    }
    weigh(&schema);
}

/// A ratio, and how it stands to its limit.
fn against(ratio: f64, most: Option<f64>, digits: usize) -> String {
    match most {
        Some(most) => format!("{ratio:.digits$} ≤ {most} {}", if ratio <= most { "met" } else { "MISSED" }),
        None => format!("{ratio:.digits$}"),
    }
}

fn median(mut turns: Vec<f64>) -> f64 {
    turns.sort_by(f64::total_cmp);
    turns[turns.len() / 2]
}

/// Decodes by `decode`, and applies as the engine does: some hundreds of updates at a time.
fn mirror(schema: &Arc<Schema>, address: &str, count: usize, mut decode: impl FnMut(&Decoder, &[u8], &mut Scratch, &mut Batch)) -> f64 {
    let decoder = Decoder::new(Paths::new(), SchemaCanon::new(Arc::clone(schema)));
    let mut tree = Tree::new(Arc::clone(decoder.paths()));
    let (mut scratch, mut batch) = (Scratch::default(), Batch::default());
    let cost = run(address, count, |bytes| {
        decode(&decoder, &bytes, &mut scratch, &mut batch);
        if batch.ops.len() >= 256 {
            batch.received = 1;
            std::mem::take(&mut batch).apply(&mut tree);
        }
    });
    batch.apply(&mut tree);
    assert_eq!(tree.len(), LEAVES);
    cost
}

/// Bytes a leaf: the first device of a fabric, and one that says the same leaves in another order.
fn weigh(schema: &Arc<Schema>) {
    let decoder = Decoder::new(Paths::new(), SchemaCanon::new(Arc::clone(schema)));
    println!("\nbytes a leaf of the mirror, index and texts included, times and origins kept   (limit 60)");
    for (name, shuffled) in [("in the order of the first device", false), ("in any order", true)] {
        let mut tree = Tree::new(Arc::clone(decoder.paths()));
        for bytes in messages(10, 1, shuffled) {
            let mut batch = Batch::default();
            decoder.decode(&bytes, &mut Scratch::default(), &mut batch).unwrap();
            batch.apply(&mut tree);
        }
        let bytes = tree.heap_bytes() as f64 / tree.len() as f64;
        println!("{name:>36} {bytes:>8.1} {}", if bytes <= 60.0 { "met" } else { "MISSED" });
    }
}

/// Leaf `index` in round `round`: four of five are counters, the others session states of BGP.
fn leaf(index: usize, round: u64) -> proto::Update {
    let (path, kind) = if index % 5 < 4 {
        const COUNTERS: [&str; 8] =
            ["in-octets", "out-octets", "in-pkts", "out-pkts", "in-unicast-pkts", "out-unicast-pkts", "in-discards", "out-errors"];
        let path = format!("/interfaces/interface[name=Ethernet{}]/state/counters/{}", index / 8, COUNTERS[index % 8]);
        (path, typed_value::Value::UintVal(1_000_000_007 * round + index as u64 * 1009))
    } else {
        let path = format!(
            "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors/neighbor[neighbor-address=10.0.{}.{}]/state/session-state",
            index / 250,
            index % 250
        );
        (path, typed_value::Value::StringVal(if round.is_multiple_of(2) { "ESTABLISHED" } else { "ACTIVE" }.to_owned()))
    };
    proto::Update {
        path: Some(convert::path_message(&Path::parse(&path).unwrap())),
        val: Some(proto::TypedValue { value: Some(kind) }),
        ..proto::Update::default()
    }
}

/// All leaves once, `per` updates a message.
fn messages(per: usize, round: u64, shuffled: bool) -> Vec<Bytes> {
    // A step without a common divisor meets every leaf once, in no order a tree or a cache could like.
    let step = if shuffled { [1_301, 2_203, 3_407, 4_001][usize::try_from(round % 4).unwrap()] } else { 1 };
    let all: Vec<usize> = (0..LEAVES).map(|at| at * step % LEAVES).collect();
    all.chunks(per)
        .map(|chunk| {
            let notification = proto::Notification {
                timestamp: 1_747_924_007_615_237_721,
                update: chunk.iter().map(|index| leaf(*index, round)).collect(),
                ..proto::Notification::default()
            };
            let response = Some(subscribe_response::Response::Update(notification));
            proto::SubscribeResponse { response, ..proto::SubscribeResponse::default() }.encode_to_vec().into()
        })
        .collect()
}

/// Reads `count` messages on this thread alone; CPU seconds of it per million updates.
fn run(address: &str, count: usize, mut each: impl FnMut(Bytes)) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::connect(&Target::new("bench", address).plaintext()).await.unwrap();
        let subscription = Subscription::on_change(Path::root());
        let request = subscribe_request(&[(&subscription, subscription.mode.into())], ListMode::Stream, Encoding::Proto, false);
        let requests = futures_util::stream::iter([request]).chain(futures_util::stream::pending());
        let mut stream = client.subscribe(requests).await.unwrap();
        // The first round fills tables and windows and is not counted.
        let (mut updates, mut started) = (0usize, 0.0);
        let mut per = 1;
        let warm = 20_000.min(count / 10);
        for index in 0..count + warm {
            let bytes = stream.message().await.unwrap().unwrap();
            if index == warm {
                started = cpu();
                per = proto::SubscribeResponse::decode(bytes.clone()).map_or(1, |response| match response.response {
                    Some(subscribe_response::Response::Update(message)) => message.update.len(),
                    _ => 1,
                });
            }
            each(bytes);
            updates += usize::from(index >= warm);
        }
        (cpu() - started) / (updates * per) as f64 * 1e6
    })
}

fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A server on a thread of its own that sends the same messages for ever, encoded once.
fn serve(messages: Arc<[Bytes]>) -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap().to_string()).unwrap();
            tonic::transport::Server::builder()
                .add_service(Endless { messages })
                .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener))
                .await
                .unwrap();
        });
    });
    receiver.recv().unwrap()
}

#[derive(Clone)]
struct Endless {
    messages: Arc<[Bytes]>,
}

impl tonic::server::NamedService for Endless {
    const NAME: &'static str = "gnmi.gNMI";
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl tower::Service<http::Request<tonic::body::Body>> for Endless {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Boxed<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Encoded).streaming(service, request).await) })
    }
}

impl tonic::server::StreamingService<Bytes> for Endless {
    type Response = Bytes;
    type ResponseStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<Bytes, Status>> + Send>>;
    type Future = Boxed<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, requests: Request<Streaming<Bytes>>) -> Self::Future {
        let messages = Arc::clone(&self.messages);
        Box::pin(async move {
            let keep = requests.into_inner();
            let endless = futures_util::stream::iter(0usize..).map(move |index| {
                let _open = &keep;
                Ok(messages[index % messages.len()].clone())
            });
            Ok(Response::new(Box::pin(endless) as Self::ResponseStream))
        })
    }
}

/// Bytes as they are, both ways.
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = codec::ReadRaw;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> codec::ReadRaw {
        codec::ReadRaw
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put(buffer, item);
        Ok(())
    }
}
