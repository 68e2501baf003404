//! What telemetry costs the console: client CPU-seconds per million leaf updates, received over a real connection, decoded
//! and applied to a mirror of 5,000 leaves, at 1, 10 and 100 updates a notification.
//!
//! Three ways in one run on one machine, so that ratios mean something: the bare stream (gRPC and nothing more: the limit),
//! ours, and the same with prost in the place of our walk. `cargo bench --bench mirror [-- MILLIONS]`.
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

fn main() {
    let millions: f64 = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1.0);
    let schema = Arc::new(Schema::eos().unwrap());
    println!("client CPU-seconds per million leaf updates, {LEAVES} leaves, one core, loopback without TLS");
    println!("{:>16} {:>11} {:>11} {:>11} {:>10} {:>11}", "updates/message", "raw stream", "ours", "prost", "ours/raw", "ours/prost");
    for per in [1usize, 10, 100] {
        let messages: Arc<[Bytes]> = (0..4).flat_map(|round| messages(per, round)).collect();
        let address = serve(Arc::clone(&messages));
        let count = |millions: f64| (millions * 1e6) as usize / per;
        let raw = run(&address, count(millions), |_| {});
        let ours = {
            let decoder = Decoder::new(Paths::new(), SchemaCanon::new(Arc::clone(&schema)));
            let mut tree = Tree::new(Arc::clone(decoder.paths()));
            let (mut scratch, mut batch) = (Scratch::default(), Batch::default());
            let cost = run(&address, count(millions), |bytes| {
                decoder.decode(&bytes, &mut scratch, &mut batch).unwrap();
                if batch.ops.len() >= 256 {
                    batch.received = 1;
                    std::mem::take(&mut batch).apply(&mut tree);
                }
            });
            batch.apply(&mut tree);
            assert_eq!(tree.len(), LEAVES);
            cost
        };
        let by_prost = {
            let decoder = Decoder::new(Paths::new(), SchemaCanon::new(Arc::clone(&schema)));
            let mut tree = Tree::new(Arc::clone(decoder.paths()));
            let mut batch = Batch::default();
            let cost = run(&address, count(millions / 4.0), |bytes| {
                decoder.decode_any(&bytes, &mut batch).unwrap();
                if batch.ops.len() >= 256 {
                    batch.received = 1;
                    std::mem::take(&mut batch).apply(&mut tree);
                }
            });
            batch.apply(&mut tree);
            assert_eq!(tree.len(), LEAVES);
            cost
        };
        println!("{per:>16} {raw:>11.3} {ours:>11.3} {by_prost:>11.3} {:>9.2}x {:>10.3}x", ours / raw, ours / by_prost);
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
fn messages(per: usize, round: u64) -> Vec<Bytes> {
    let all: Vec<usize> = (0..LEAVES).collect();
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
