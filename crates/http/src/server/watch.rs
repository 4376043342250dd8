//! When a connection has to end: a pure judgement over what it shows at each tick.
//!
//! A tick is a quarter of the time for a head. Must never end a body that flows: only silence
//! counts, and it is counted in whole ticks, so that nobody is ended early.

use std::time::Duration;

use super::limits::Limits;

/// Ticks in the time for a head.
const HEAD_TICKS: u32 = 4;
/// Who takes as many bytes takes an answer: more than the frames with which a connection of HTTP/2
/// is kept alive.
const TAKEN_BYTES: u64 = 1024;

/// How long a tick is.
pub(super) fn tick(limits: &Limits) -> Duration {
    (limits.head / HEAD_TICKS).max(Duration::from_millis(1))
}

/// What a connection shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Requests that began so far.
    pub asked: u64,
    /// Requests whose answers are not over.
    pub open: u32,
    /// A part of the next head is there (HTTP/1.1).
    pub is_head_begun: bool,
    /// A part of an answer waits to be taken.
    pub is_answering: bool,
    /// Bytes that the peer's side took so far.
    pub sent: u64,
}

/// What is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Fine,
    /// Take no more requests, and end when those in flight are over.
    Close,
    /// End it now.
    Cut(&'static str),
}

/// The ticks that were counted.
#[derive(Debug)]
pub(super) struct Watch {
    idle_ticks: u32,
    unread_ticks: u32,
    last: Seen,
    at_rest: u32,
    in_head: u32,
    unread: u32,
    /// What was sent when the peer last took enough.
    sent: u64,
    is_closing: bool,
}

impl Watch {
    /// A connection that was just accepted.
    pub(super) fn new(limits: &Limits) -> Self {
        let ticks = |time: Duration| {
            let ticks = time.as_micros().div_ceil(tick(limits).as_micros().max(1));
            u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
        };
        Self {
            idle_ticks: ticks(limits.idle),
            unread_ticks: ticks(limits.unread),
            last: Seen::default(),
            at_rest: 0,
            in_head: 0,
            unread: 0,
            sent: 0,
            is_closing: false,
        }
    }

    /// It takes no more requests from here on.
    pub(super) fn closes(&mut self) {
        (self.is_closing, self.at_rest) = (true, 0);
    }

    /// Another tick is over.
    pub(super) fn tick(&mut self, seen: Seen) -> Verdict {
        // The end of an answer may be on its way after its request is over.
        let takes = seen.sent - self.last.sent >= TAKEN_BYTES;
        let is_open = seen.open > 0 || self.last.open > 0;
        let rested = !takes && !is_open && seen.asked == self.last.asked;
        self.at_rest = if rested { self.at_rest + 1 } else { 0 };
        let in_head = rested && seen.is_head_begun && self.last.is_head_begun;
        self.in_head = if in_head { self.in_head + 1 } else { 0 };
        let is_stuck = seen.is_answering && seen.sent - self.sent < TAKEN_BYTES;
        if is_stuck {
            self.unread += 1;
        } else {
            (self.unread, self.sent) = (0, seen.sent);
        }
        self.last = seen;
        self.verdict(seen)
    }

    fn verdict(&mut self, seen: Seen) -> Verdict {
        if seen.asked == 0 && self.at_rest >= HEAD_TICKS {
            return Verdict::Cut("no request came");
        }
        if self.in_head >= HEAD_TICKS {
            return Verdict::Cut("a head took too long");
        }
        if self.unread >= self.unread_ticks {
            return Verdict::Cut("an answer is not taken");
        }
        if self.is_closing && self.at_rest >= HEAD_TICKS {
            return Verdict::Cut("it does not end by itself");
        }
        if !self.is_closing && self.at_rest >= self.idle_ticks {
            self.closes();
            return Verdict::Close;
        }
        Verdict::Fine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tick is a second, a head four, rest eight, an answer ten.
    fn watch() -> Watch {
        Watch::new(&Limits {
            head: Duration::from_secs(4),
            idle: Duration::from_secs(8),
            unread: Duration::from_secs(10),
            ..Limits::default()
        })
    }

    /// The first verdict that is not [`Verdict::Fine`], and at which tick.
    fn ends(watch: &mut Watch, seen: impl Fn(u64) -> Seen) -> Option<(u64, Verdict)> {
        (1..100).find_map(|at| match watch.tick(seen(at)) {
            Verdict::Fine => None,
            verdict => Some((at, verdict)),
        })
    }

    #[test]
    fn the_first_request_has_the_time_of_a_head() {
        let end = ends(&mut watch(), |_| Seen::default());
        assert_eq!(end, Some((4, Verdict::Cut("no request came"))));
    }

    #[test]
    fn rest_is_counted_from_the_last_answer() {
        let seen = |at| Seen {
            asked: 1,
            // The answer is over between the ticks 20 and 21.
            open: u32::from(at <= 20),
            ..Seen::default()
        };
        assert_eq!(ends(&mut watch(), seen), Some((29, Verdict::Close)));
    }

    #[test]
    fn whoever_asks_again_is_not_at_rest() {
        let seen = |at: u64| Seen {
            asked: at / 5 + 1,
            ..Seen::default()
        };
        assert_eq!(ends(&mut watch(), seen), None);
    }

    #[test]
    fn the_next_heads_have_the_same_time() {
        let seen = |at| Seen {
            asked: 1,
            is_head_begun: at > 3,
            ..Seen::default()
        };
        let cut = Verdict::Cut("a head took too long");
        assert_eq!(ends(&mut watch(), seen), Some((8, cut)));
    }

    #[test]
    fn a_request_in_flight_may_take_as_long_as_it_likes() {
        let seen = |_| Seen {
            asked: 1,
            open: 1,
            is_head_begun: true,
            ..Seen::default()
        };
        assert_eq!(ends(&mut watch(), seen), None);
    }

    #[test]
    fn an_answer_is_taken_or_the_end() {
        // 1024 bytes in ten seconds are enough, fewer are not.
        let answer = |bytes: u64| {
            move |at: u64| Seen {
                asked: 1,
                open: 1,
                is_answering: true,
                sent: at * bytes / 10,
                ..Seen::default()
            }
        };
        assert_eq!(ends(&mut watch(), answer(1200)), None);
        let cut = Verdict::Cut("an answer is not taken");
        assert_eq!(ends(&mut watch(), answer(0)), Some((10, cut)));
        assert_eq!(ends(&mut watch(), answer(900)), Some((10, cut)));
    }

    #[test]
    fn the_end_of_an_answer_flows_after_its_request() {
        let seen = |at: u64| Seen {
            asked: 1,
            sent: at.min(60) * TAKEN_BYTES,
            ..Seen::default()
        };
        assert_eq!(ends(&mut watch(), seen), Some((68, Verdict::Close)));
    }

    #[test]
    fn what_closes_has_to_end() {
        let mut watch = watch();
        watch.closes();
        let seen = |at| Seen {
            asked: 1,
            open: u32::from(at <= 50),
            ..Seen::default()
        };
        let cut = Verdict::Cut("it does not end by itself");
        assert_eq!(ends(&mut watch, seen), Some((55, cut)));
    }
}
