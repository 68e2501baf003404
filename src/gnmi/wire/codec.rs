//! gRPC codecs of our own: raw answers for the fast walk, and requests that know whether they left.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf as _, Bytes};
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Room a stream begins with for what it sends and for what it receives; both grow with their messages. A console holds a
/// thousand streams, each with one request, and most of the time without a message in the making.
const SENDS: usize = 512;
const RECEIVES: usize = 4 * 1024;
/// tonic's own: what may be collected before it is sent.
const YIELD_AT: usize = 32 * 1024;

/// Writes prost messages of type `Out`, hands out answers as bytes without looking at them.
#[derive(Debug)]
pub struct RawAnswers<Out>(PhantomData<Out>);

impl<Out> Default for RawAnswers<Out> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<Out: Message + 'static> Codec for RawAnswers<Out> {
    type Encode = Out;
    type Decode = Bytes;
    type Encoder = Write<Out>;
    type Decoder = ReadRaw;

    fn encoder(&mut self) -> Write<Out> {
        Write { left: None, kind: PhantomData }
    }

    fn decoder(&mut self) -> ReadRaw {
        ReadRaw
    }
}

/// Writes and reads prost messages, and sets a flag when the request is handed to the connection. As long as the flag is
/// not set, no byte of the request can have reached the device.
#[derive(Debug)]
pub struct Tracked<Out, In> {
    left: Arc<AtomicBool>,
    kind: PhantomData<(Out, In)>,
}

impl<Out, In> Tracked<Out, In> {
    /// With the flag to set.
    pub fn new(left: Arc<AtomicBool>) -> Self {
        Self { left, kind: PhantomData }
    }
}

impl<Out: Message + 'static, In: Message + Default + 'static> Codec for Tracked<Out, In> {
    type Encode = Out;
    type Decode = In;
    type Encoder = Write<Out>;
    type Decoder = Read<In>;

    fn encoder(&mut self) -> Write<Out> {
        Write { left: Some(Arc::clone(&self.left)), kind: PhantomData }
    }

    fn decoder(&mut self) -> Read<In> {
        Read(PhantomData)
    }
}

/// The encoder of both codecs.
#[derive(Debug)]
pub struct Write<Out> {
    left: Option<Arc<AtomicBool>>,
    kind: PhantomData<Out>,
}

impl<Out: Message> Encoder for Write<Out> {
    type Item = Out;
    type Error = Status;

    fn encode(&mut self, message: Out, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(buffer).map_err(|error| Status::internal(error.to_string()))?;
        if let Some(left) = &self.left {
            left.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(SENDS, YIELD_AT)
    }
}

/// Reads prost messages.
#[derive(Debug)]
pub struct Read<In>(PhantomData<In>);

impl<In: Message + Default> Decoder for Read<In> {
    type Item = In;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<In>, Status> {
        In::decode(buffer).map(Some).map_err(|error| Status::internal(format!("protocol error: received message with {error}")))
    }
}

/// Hands out answers as they are.
#[derive(Debug)]
pub struct ReadRaw;

impl Decoder for ReadRaw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(RECEIVES, YIELD_AT)
    }
}
