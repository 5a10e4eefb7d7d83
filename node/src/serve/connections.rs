//! Connections, of which there are so many and no more: those that come later wait to be accepted. One that does not begin to
//! speak loses its place.

use futures_util::stream::{self, Stream};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::limits::CONNECTIONS_MAX;

/// Time in which a client must have begun to speak.
pub(super) const BEGINNING_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes with which it has: HTTP/2 begins with as many, a TLS handshake with more.
const BEGINNING_BYTES: usize = 24;
/// Bytes below which a write lets others run before it. A sync answers many requests at once, and each answer wakes its connection
/// before the next is ready: without that each would have a system call of its own, on either side.
const SMALL_WRITE_BYTES: usize = 4 << 10;

/// A connection that takes up its place until it is closed.
pub(super) struct Counted {
    stream: TcpStream,
    beginning: Option<Beginning>,
    /// Whether others have run since something small was to be written.
    gave_way: bool,
    _place: OwnedSemaphorePermit,
}

/// What is to come before a client has begun to speak.
struct Beginning {
    bytes: usize,
    timeout: Pin<Box<Sleep>>,
}

/// The connections of a listener, whose clients have so long to begin.
pub(super) fn accept(listener: TcpListener, timeout: Duration) -> impl Stream<Item = io::Result<Counted>> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    stream::unfold((listener, places), move |(listener, places)| async move {
        let _place = Arc::clone(&places).acquire_owned().await.ok()?;
        let accepted = listener.accept().await.and_then(|(stream, _)| {
            stream.set_nodelay(true)?;
            let beginning = Beginning { bytes: BEGINNING_BYTES, timeout: Box::pin(sleep(timeout)) };
            Ok(Counted { stream, beginning: Some(beginning), gave_way: false, _place })
        });
        if accepted.is_err() {
            // Out of descriptors, as a rule: accepting again at once would only burn a core.
            sleep(Duration::from_millis(50)).await;
        }
        Some((accepted, (listener, places)))
    })
}

impl Counted {
    /// Lets the tasks run that are ready, once, before so many bytes are written: they may have more to write.
    fn give_way(&mut self, bytes: usize, context: &Context<'_>) -> Poll<()> {
        self.gave_way = !self.gave_way && bytes < SMALL_WRITE_BYTES;
        if !self.gave_way {
            return Poll::Ready(());
        }
        // It comes behind all that are ready.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Connected for Counted {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let filled = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        let Some(beginning) = &mut self.beginning else { return read };
        match read {
            Poll::Ready(read) => {
                beginning.bytes = beginning.bytes.saturating_sub(into.filled().len() - filled);
                if beginning.bytes == 0 {
                    self.beginning = None;
                }
                Poll::Ready(read)
            }
            Poll::Pending => {
                ready!(beginning.timeout.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.give_way(bytes.len(), context));
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.give_way(parts.iter().map(|part| part.len()).sum(), context));
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt, future};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A connection, and its client.
    async fn connected() -> (Counted, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let client = TcpStream::connect(listener.local_addr().expect("it is bound")).await.expect("it listens");
        let accepted = Box::pin(accept(listener, BEGINNING_TIMEOUT)).next().await;
        (accepted.expect("it goes on").expect("it is accepted"), client)
    }

    #[tokio::test]
    async fn a_small_write_lets_others_run_before_it() {
        for (bytes, gives_way) in [(1, true), (SMALL_WRITE_BYTES - 1, true), (SMALL_WRITE_BYTES, false)] {
            let (mut connection, mut client) = connected().await;
            let mut sent = Vec::new();
            // Each write anew, and none twice.
            for round in 0..3 {
                let others = tokio::spawn(async {});
                connection.write_all(&vec![round; bytes]).await.expect("it is open");
                assert_eq!(others.is_finished(), gives_way, "{bytes} bytes, round {round}");
                sent.extend(vec![round; bytes]);
                others.await.expect("it does nothing");
            }
            drop(connection);
            let mut read = Vec::new();
            client.read_to_end(&mut read).await.expect("it is closed");
            assert_eq!(read, sent);
        }
    }

    #[tokio::test]
    async fn a_client_that_does_not_begin_loses_its_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        // Long enough for a slow machine to read what is there.
        let timeout = Duration::from_secs(2);
        let mut connections = Box::pin(accept(listener, timeout));
        let mut clients = Vec::new();
        let mut accepted = Vec::new();
        for sent in [0, 1, BEGINNING_BYTES - 1, BEGINNING_BYTES] {
            let mut client = TcpStream::connect(address).await.expect("it listens");
            client.write_all(&[7; BEGINNING_BYTES][..sent]).await.expect("it is open");
            clients.push(client);
            accepted.push((sent, connections.next().await.expect("it goes on").expect("it is accepted")));
        }
        let ended = accepted.into_iter().map(|(sent, mut connection)| async move {
            let mut buffer = [0; BEGINNING_BYTES];
            connection.read_exact(&mut buffer[..sent]).await.expect("it is there");
            let ended = tokio::time::timeout(2 * timeout, connection.read(&mut buffer)).await;
            (sent, ended.map(|read| read.expect_err("nothing comes").kind()).ok())
        });
        let late = Some(io::ErrorKind::TimedOut);
        // Who has begun may be silent.
        let expected = [(0, late), (1, late), (BEGINNING_BYTES - 1, late), (BEGINNING_BYTES, None)];
        assert_eq!(future::join_all(ended).await, expected);
    }
}
