//! Bodies that are too long, too short, silent, or not wanted.

use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::*;

/// A body whose frames a test sends; it ends when the sender is dropped.
fn channel() -> (mpsc::UnboundedSender<&'static str>, Body) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<&'static str>();
    let frames = stream::poll_fn(move |context| receiver.poll_recv(context));
    let frames = frames.map(|text| Ok::<_, io::Error>(Frame::data(Bytes::from(text))));
    (sender, Body::new(StreamBody::new(frames)))
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

/// What comes of a body that sends `text` every `seconds`, `times` times, and then says nothing.
async fn trickle(text: &'static str, seconds: u64, times: usize) -> (usize, Option<String>, u64) {
    let (sender, body) = channel();
    let start = tokio::time::Instant::now();
    tokio::spawn(async move {
        for _ in 0..times {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            if sender.send(text).is_err() {
                return;
            }
        }
        sender.closed().await;
    });
    let (got, reason) = gathered(pieces(body, None)).await;
    (got.len(), reason, start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn f41_a_slow_sender_is_waited_for_and_a_silent_one_is_not() {
    let kibibyte: &'static str = "x".repeat(1024).leak();
    // An hour and more of a body that flows, then the silence.
    let (bytes, reason, seconds) = trickle(kibibyte, 59, 100).await;
    assert_eq!((bytes, seconds), (102_400, 100 * 59 + 60));
    assert!(reason.is_some_and(|reason| reason.contains("silent")));
    // A byte at a time, each well before the silence would be long.
    let (bytes, reason, seconds) = trickle("x", 7, 1000).await;
    assert_eq!((bytes, seconds), (8, 60));
    assert!(reason.is_some_and(|reason| reason.contains("slow")));
    // Frames of nothing are silence too.
    let (bytes, reason, seconds) = trickle("", 7, 1000).await;
    assert_eq!((bytes, reason.is_some(), seconds), (0, true, 60));
    let (_sender, body) = channel();
    assert!(matches!(read_all(body, 9).await, Err(Unread::BrokeOff(_))));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_not_the_senders_fault() {
    let (sender, body) = channel();
    let mut pieces = pieces(body, None);
    for _ in 0..10 {
        sender.send("x").unwrap();
        assert!(pieces.next().await.unwrap().is_ok());
        tokio::time::sleep(Duration::from_secs(120)).await;
    }
}

const MIB: usize = 1024 * 1024;

fn mebibyte() -> &'static str {
    "x".repeat(MIB).leak()
}

#[tokio::test(start_paused = true)]
async fn bodies_share_a_budget() {
    let (budget, text) = (Budget::new(2 * MIB), mebibyte());
    let held = budget.read_all(sent(&[text, text]), 8 * MIB).await.unwrap();
    assert_eq!(held.bytes.len(), 2 * MIB);
    // Another one finds no room, a short one needs none.
    let refused = budget.read_all(sent(&[text]), 8 * MIB).await;
    assert!(matches!(refused, Err(Unheld::Busy)));
    let short = budget.read_all(sent(&["short"]), 8 * MIB).await;
    assert_eq!(short.unwrap().bytes, "short");
    // The next is waited for.
    let next = tokio::spawn({
        let budget = budget.clone();
        async move { budget.read_all(sent(&[text, text]), 8 * MIB).await }
    });
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(!next.is_finished());
    drop(held);
    assert_eq!(next.await.unwrap().unwrap().bytes.len(), 2 * MIB);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_given_up_gives_back() {
    let (budget, text) = (Budget::new(2 * MIB), mebibyte());
    let too_long = budget.read_all(sent(&[text, text]), MIB).await;
    assert!(matches!(too_long, Err(Unheld::Unread(Unread::TooLong))));
    let (sender, body) = channel();
    sender.send(text).unwrap();
    let silent = budget.read_all(body, 8 * MIB).await;
    assert!(matches!(silent, Err(Unheld::Unread(Unread::BrokeOff(_)))));
    // Fast enough for the least rate, and for ever: ended after ten minutes.
    let (sender, body) = channel();
    tokio::spawn(async move {
        let kibibyte: &'static str = "x".repeat(1024).leak();
        while sender.send(kibibyte).is_ok() {
            tokio::time::sleep(Duration::from_secs(50)).await;
        }
    });
    let start = tokio::time::Instant::now();
    let endless = budget.read_all(body, 8 * MIB).await;
    assert!(matches!(endless, Err(Unheld::Unread(Unread::BrokeOff(_)))));
    assert_eq!(start.elapsed().as_secs(), 600);
    let announced = budget.read_all(full("hello"), 4).await;
    assert!(matches!(announced, Err(Unheld::Unread(Unread::TooLong))));
    let all = budget.read_all(sent(&[text, text]), 8 * MIB).await;
    assert_eq!(all.unwrap().bytes.len(), 2 * MIB);
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
