//! One connection that speaks just enough HTTP/1.1: a request whose bytes are given, an answer
//! whose body is counted or kept.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Where all connections read into: there is one thread, and no read waits with it.
pub type Scratch = Rc<RefCell<Vec<u8>>>;
const SCRATCH_BYTES: usize = 256 * 1024;

/// A buffer for all connections of a run.
pub fn scratch() -> Scratch {
    Rc::new(RefCell::new(vec![0; SCRATCH_BYTES]))
}

/// What an answer says.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    /// Bytes of the body.
    pub bytes: u64,
    /// The body, if it was asked for.
    pub body: Vec<u8>,
}

/// How the end of a body is known.
enum Length {
    Known(u64),
    Chunked,
}

pub struct Connection {
    stream: TcpStream,
    scratch: Scratch,
    /// Bytes that were read and not used.
    ahead: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr, scratch: &Scratch) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            scratch: scratch.clone(),
            ahead: Vec::new(),
        })
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Reads one answer to its end; one to HEAD has no body.
    pub async fn answer(&mut self, is_head: bool, keeps_body: bool) -> Result<Answer> {
        let end = loop {
            if let Some(at) = find(&self.ahead, b"\r\n\r\n") {
                break at + 4;
            }
            ensure!(self.ahead.len() < 64 * 1024, "a head without end");
            self.read(|bytes, ahead| ahead.extend_from_slice(bytes))
                .await?;
        };
        let (mut answer, length) = head(&self.ahead[..end])?;
        self.ahead.drain(..end);
        match length {
            _ if is_head => {}
            Length::Known(length) if keeps_body => self.keep(&mut answer, length).await?,
            Length::Known(length) => self.discard(length).await?,
            Length::Chunked => loop {
                let size = self.chunk_size().await?;
                self.keep(&mut answer, size).await?;
                self.discard(2).await?;
                if size == 0 {
                    break;
                }
            },
        }
        if let Length::Known(length) = length {
            answer.bytes = length;
        } else {
            answer.bytes = answer.body.len() as u64;
        }
        Ok(answer)
    }

    async fn keep(&mut self, answer: &mut Answer, length: u64) -> Result<()> {
        let length = usize::try_from(length)?;
        while self.ahead.len() < length {
            self.read(|bytes, ahead| ahead.extend_from_slice(bytes))
                .await?;
        }
        answer.body.extend(self.ahead.drain(..length));
        Ok(())
    }

    async fn discard(&mut self, length: u64) -> Result<()> {
        let known = usize::try_from(length)?.min(self.ahead.len());
        self.ahead.drain(..known);
        let mut left = length - known as u64;
        while left > 0 {
            self.read(|bytes, ahead| {
                let own = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                left -= own as u64;
                ahead.extend_from_slice(&bytes[own..]);
            })
            .await?;
        }
        Ok(())
    }

    async fn chunk_size(&mut self) -> Result<u64> {
        loop {
            if let Some(at) = find(&self.ahead, b"\r\n") {
                let line = std::str::from_utf8(&self.ahead[..at])?;
                let size = u64::from_str_radix(line.trim(), 16).context("a chunk's size")?;
                self.ahead.drain(..at + 2);
                return Ok(size);
            }
            self.read(|bytes, ahead| ahead.extend_from_slice(bytes))
                .await?;
        }
    }

    /// Shows what comes next to `take`, with the bytes kept so far.
    async fn read(&mut self, mut take: impl FnMut(&[u8], &mut Vec<u8>)) -> Result<()> {
        loop {
            self.stream.readable().await?;
            let mut scratch = self.scratch.borrow_mut();
            match self.stream.try_read(&mut scratch) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(count) => {
                    take(&scratch[..count], &mut self.ahead);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn head(bytes: &[u8]) -> Result<(Answer, Length)> {
    let text = std::str::from_utf8(bytes)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let mut answer = Answer {
        status: status.context("no status")?.parse()?,
        ..Answer::default()
    };
    let mut length = Length::Known(0);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Length::Known(value.parse()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("location") {
            answer.location = Some(value.to_owned());
        }
    }
    Ok((answer, length))
}
