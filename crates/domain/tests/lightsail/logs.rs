//! Filters, windows and pages of logs (section 6.4).

use proptest::prelude::*;
use roadstead_domain::lightsail::log_filter::LogFilter;
use roadstead_domain::lightsail::log_pages::{LogEvent, LogPage, LogPosition, LogWindow};
use roadstead_domain::time::{Span, Timestamp};

use crate::fixtures::at;

#[test]
fn filter_patterns() {
    for (pattern, message, passes) in [
        ("", "anything", true),
        ("  ", "anything", true),
        ("\"\"", "anything", true),
        ("ERROR", "an ERROR here", true),
        ("ERROR", "an error here", false),
        ("ERROR", "no trouble", false),
        ("ERROR Exception", "ERROR: Exception", true),
        ("ERROR Exception", "Exception, ERROR", true),
        ("ERROR Exception", "ERROR alone", false),
        ("?ERROR ?Exception", "ERROR alone", true),
        ("?ERROR ?Exception", "Exception alone", true),
        ("?ERROR ?Exception", "neither", false),
        ("-ERROR", "an ERROR here", false),
        ("-ERROR", "no trouble", true),
        ("GET -ERROR", "GET /", true),
        ("GET -ERROR", "GET ERROR", false),
        ("GET -ERROR", "POST /", false),
        ("GET ?200 ?404", "GET 404", true),
        ("GET ?200 ?404", "GET 500", false),
        ("\"two words\"", "these two words", true),
        ("\"two words\"", "words, two", false),
        ("-\"two words\"", "these two words", false),
        ("?\"a b\" ?c", "c", true),
        ("-", "a - b", true),
        ("-", "ab", false),
        ("? a", "a", false),
        ("500-599", "codes 500-599", true),
    ] {
        let filter = LogFilter::parse(pattern).unwrap();
        assert_eq!(filter.matches(message), passes, "{pattern} on {message}");
    }
}

#[test]
fn filters_that_are_refused() {
    for pattern in ["\"open", "a \"", "-\"x"] {
        assert!(LogFilter::parse(pattern).is_err(), "{pattern}");
    }
    assert!(LogFilter::parse(&"é".repeat(1024)).is_ok());
    assert!(LogFilter::parse(&"a".repeat(1025)).is_err());
}

#[test]
fn windows() {
    let now = at(0);
    let four_days_ago = now - Span::hours(96);
    let all = LogWindow::check(None, None, now).unwrap();
    assert_eq!((all.start, all.end), (four_days_ago, now));
    let long = LogWindow::check(Some(Timestamp(0)), Some(at(9)), now).unwrap();
    assert_eq!((long.start, long.end), (four_days_ago, at(9)));
    let moment = LogWindow::check(Some(at(-5)), Some(at(-5)), now).unwrap();
    assert!(moment.contains(at(-5)) && !moment.contains(at(-4)));
    assert!(LogWindow::check(Some(at(-4)), Some(at(-5)), now).is_err());
    // Nothing is kept from then: an empty answer, not an error.
    let gone = LogWindow::check(Some(Timestamp(0)), Some(Timestamp(1)), now).unwrap();
    assert!(!gone.contains(Timestamp(0)));
    assert!(LogWindow::check(Some(Timestamp(i64::MAX)), None, now).is_ok());
}

fn events(count: u64) -> Vec<LogEvent> {
    (0..count)
        .map(|sequence| LogEvent {
            created_at: at(-1),
            sequence,
            message: format!("line {sequence}"),
        })
        .collect()
}

#[test]
fn pages_end_without_a_token() {
    let window = LogWindow::check(None, None, at(0)).unwrap();
    let filter = LogFilter::default();
    for (count, sizes) in [
        (0, vec![0]),
        (1000, vec![1000]),
        (1001, vec![1000, 1]),
        (2500, vec![1000, 1000, 500]),
    ] {
        let log = events(count);
        let (mut seen, mut lengths, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let page = LogPage::select(log.clone(), window, &filter, after);
            lengths.push(page.events.len());
            seen.extend(page.events);
            match page.next {
                Some(next) => after = Some(LogPosition::parse(&next.to_string()).unwrap()),
                None => break,
            }
        }
        assert_eq!(lengths, sizes, "{count}");
        assert_eq!(seen, log);
    }
}

#[test]
fn pages_hold_what_passes() {
    let window = LogWindow::check(Some(at(-1)), None, at(0)).unwrap();
    let mut log = events(30);
    log[12].created_at = at(-2);
    let filter = LogFilter::parse("\"line 1\" -9").unwrap();
    let page = LogPage::select(log, window, &filter, None);
    let kept: Vec<u64> = page.events.iter().map(|event| event.sequence).collect();
    assert_eq!(kept, [1, 10, 11, 13, 14, 15, 16, 17, 18]);
    assert_eq!(page.next, None);
}

proptest! {
    #[test]
    fn tokens_round_trip(at in any::<i64>(), sequence in any::<u64>()) {
        let position = LogPosition { at: Timestamp(at), sequence };
        prop_assert_eq!(LogPosition::parse(&position.to_string()), Ok(position));
    }

    #[test]
    fn no_pattern_or_token_panics(text in any::<String>(), message in any::<String>()) {
        if let Ok(filter) = LogFilter::parse(&text) {
            filter.matches(&message);
        }
        let _ = LogPosition::parse(&text);
    }

    #[test]
    fn excluding_is_the_opposite_of_asking(term in "[a-c]{1,2}", message in "[a-c ]{0,8}") {
        let asks = LogFilter::parse(&term).unwrap().matches(&message);
        let excludes = LogFilter::parse(&format!("-{term}")).unwrap().matches(&message);
        prop_assert_ne!(asks, excludes);
    }
}

#[test]
fn foreign_tokens_are_refused() {
    for token in [
        "",
        "1",
        &"g".repeat(32),
        &"A".repeat(32),
        &"0".repeat(33),
        "+1",
    ] {
        assert!(LogPosition::parse(token).is_err(), "{token}");
    }
    assert!(LogPosition::parse(&format!("+{}", "0".repeat(31))).is_err());
}
