//! Bodies that are too long, too short, silent, or not wanted.

use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::*;

/// A body whose frames a test sends; it ends when the sender is dropped.
fn channel() -> (mpsc::UnboundedSender<&'static str>, Body) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<&'static str>();
    let frames = stream::poll_fn(move |context| receiver.poll_recv(context));
    let frames = frames.map(|text| Ok::<_, io::Error>(Frame::data(Bytes::from(text))));
    (sender, StreamBody::new(frames).boxed_unsync())
}

fn sent(texts: &[&'static str]) -> Body {
    let (sender, body) = channel();
    for text in texts {
        sender.send(text).unwrap();
    }
    body
}

async fn gathered(mut pieces: Pieces) -> (String, Option<String>) {
    let mut text = String::new();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => text += std::str::from_utf8(&piece).unwrap(),
            Err(reason) => {
                assert!(pieces.next().await.is_none(), "nothing follows an error");
                return (text, Some(reason));
            }
        }
    }
    (text, None)
}

#[tokio::test]
async fn a_body_is_as_long_as_announced() {
    let is_whole = |got: &(String, Option<String>)| got.1.is_none();
    for (bytes, expected, whole) in [
        (None, "hello world", true),
        (Some(11), "hello world", true),
        (Some(12), "hello world", false),
        (Some(10), "hello ", false),
        (Some(0), "", false),
    ] {
        let got = gathered(pieces(sent(&["hello ", "", "world"]), bytes)).await;
        assert_eq!(got.0, expected, "{bytes:?}");
        assert_eq!(is_whole(&got), whole, "{bytes:?}");
    }
    assert!(is_whole(&gathered(pieces(empty(), Some(0))).await));
}

#[tokio::test]
async fn no_more_is_read_than_allowed() {
    let read = async |limit| read_all(sent(&["hello ", "world"]), limit).await;
    assert_eq!(read(11).await.unwrap(), "hello world");
    assert!(matches!(read(10).await, Err(Unread::TooLong)));
    let announced = read_all(full("hello"), 4).await;
    assert!(matches!(announced, Err(Unread::TooLong)));
}

#[tokio::test(start_paused = true)]
async fn f41_a_slow_sender_is_waited_for_and_a_silent_one_is_not() {
    let (sender, body) = channel();
    tokio::spawn(async move {
        for text in ["a", "b", "c"] {
            tokio::time::sleep(SILENCE_MAX - Duration::from_secs(1)).await;
            sender.send(text).unwrap();
        }
        sender.closed().await;
    });
    let (text, reason) = gathered(pieces(body, None)).await;
    assert_eq!(text, "abc");
    assert!(reason.is_some_and(|reason| reason.contains("silent")));
    let (_sender, body) = channel();
    assert!(matches!(read_all(body, 9).await, Err(Unread::BrokeOff(_))));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_wants_is_taken_for_a_while() {
    let (sender, body) = channel();
    drop(lingering(body));
    sender.send("still sending").unwrap();
    tokio::time::sleep(LINGER_TIME_MAX / 2).await;
    assert!(!sender.is_closed());
    tokio::time::sleep(LINGER_TIME_MAX).await;
    assert!(sender.is_closed());
    let (sender, body) = channel();
    drop(lingering(body));
    let megabyte: &'static str = "x".repeat(1024 * 1024).leak();
    for _ in 0..=64 {
        let _ = sender.send(megabyte);
    }
    sender.closed().await;
}
