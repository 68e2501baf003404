//! The service as it is put on a socket: Subscribe answers are handed over as bytes, so that a message is encoded once however
//! many streams it goes to; everything else goes the generated way.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes};
use prost::Message as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::BoxFuture;
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Request, Response, Status, Streaming};

use super::server::Service;
use crate::gnmi::wire::proto;
use crate::gnmi::wire::proto::g_nmi_server::GNmiServer;

/// A service on a socket.
#[derive(Clone)]
pub struct Raw {
    service: Arc<Service>,
    generated: GNmiServer<Service>,
    largest: usize,
}

impl Raw {
    /// `largest`: bytes of a request.
    pub fn new(service: Service, largest: usize) -> Self {
        let service = Arc::new(service);
        let generated = GNmiServer::from_arc(Arc::clone(&service))
            .max_decoding_message_size(largest)
            .max_encoding_message_size(usize::MAX)
            .accept_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Gzip);
        Self { service, generated, largest }
    }
}

impl NamedService for Raw {
    const NAME: &'static str = <GNmiServer<Service> as NamedService>::NAME;
}

impl tower::Service<http::Request<tonic::body::Body>> for Raw {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        if request.uri().path() != "/gnmi.gNMI/Subscribe" {
            return self.generated.call(request);
        }
        let (subscribe, largest) = (Subscribe(Arc::clone(&self.service)), self.largest);
        Box::pin(async move {
            let mut grpc = Grpc::new(Answers)
                .accept_compressed(CompressionEncoding::Gzip)
                .send_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(largest)
                .max_encoding_message_size(usize::MAX);
            Ok(grpc.streaming(subscribe, request).await)
        })
    }
}

struct Subscribe(Arc<Service>);

impl StreamingService<proto::SubscribeRequest> for Subscribe {
    type Response = Bytes;
    type ResponseStream = ReceiverStream<Result<Bytes, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<proto::SubscribeRequest>>) -> Self::Future {
        let service = Arc::clone(&self.0);
        Box::pin(async move { service.answers(request).await })
    }
}

/// Reads requests, writes bytes.
struct Answers;

impl Codec for Answers {
    type Encode = Bytes;
    type Decode = proto::SubscribeRequest;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Answers {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Answers {
    type Item = proto::SubscribeRequest;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        proto::SubscribeRequest::decode(buffer).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
