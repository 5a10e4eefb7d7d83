//! How messages get onto the wire: as with prost's own codec, but that buffers fit what they are for.

use prost::Message;
use std::marker::PhantomData;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, EncodeBuf, Encoder};
use tonic_prost::ProstDecoder;

/// Bytes of a buffer before it is known what it will hold: a single call, or its answer. The usual 8 KiB, twice a request, are
/// of a size that an allocator has to look for. It is the least that a buffer remembers when it is used up.
const BUFFER_BYTES: usize = 1 << 10;
/// Bytes of messages that are ready from which on they are sent, as usual.
const YIELD_BYTES: usize = 32 << 10;

fn buffers() -> BufferSettings {
    BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
}

/// The codec of all services. A large message would otherwise be copied several times while the buffer grows below it.
pub struct RoomyCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for RoomyCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + Send + 'static, U: Message + Default + Send + 'static> Codec for RoomyCodec<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = RoomyEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> RoomyEncoder<T> {
        RoomyEncoder(PhantomData)
    }

    fn decoder(&mut self) -> ProstDecoder<U> {
        ProstDecoder::new(buffers())
    }
}

/// See [`RoomyCodec`].
pub struct RoomyEncoder<T>(PhantomData<T>);

impl<T: Message> Encoder for RoomyEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, message: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(message.encoded_len());
        // As `encode` does, which would find the length once more.
        message.encode_raw(buffer);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        buffers()
    }
}
