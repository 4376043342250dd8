//! Seconds since the epoch to and from the two date forms of SigV4: `YYYYMMDDTHHMMSSZ` and,
//! for a lone `Date` header, the fixed form of RFC 7231 (with the zones clients really write).
//! Must never ask what time it is.

const DAY_SECS: i64 = 86_400;
/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what four digits of year can say.
const SECS_MIN: i64 = -62_167_219_200;
const SECS_MAX: i64 = 253_402_300_799;
/// RFC 7231 writes `GMT`; botocore writes a lone `Date` in the mail form of zero.
const ZULU: [&str; 3] = ["GMT", "-0000", "+0000"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `YYYYMMDDTHHMMSSZ`; instants outside years 0000 to 9999 are clamped.
pub(crate) fn format(secs: i64) -> String {
    let secs = secs.clamp(SECS_MIN, SECS_MAX);
    let (year, month, day) = civil(secs.div_euclid(DAY_SECS));
    let time = secs.rem_euclid(DAY_SECS);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Reads `YYYYMMDDTHHMMSSZ`, nothing else.
pub(crate) fn parse_basic(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let part = |from: usize, to: usize| digits(bytes.get(from..to)?);
    assemble(
        (part(0, 4)?, part(4, 6)?, part(6, 8)?),
        (part(9, 11)?, part(11, 13)?, part(13, 15)?),
    )
}

/// Reads `Sun, 30 Aug 2015 12:36:00 GMT`; the name of the day is not checked against the date.
pub(crate) fn parse_http(text: &str) -> Option<i64> {
    let mut words = text.split(' ');
    let mut word = || words.next();
    let (_weekday, day, month, year) = (word()?.strip_suffix(',')?, word()?, word()?, word()?);
    let (clock, zone) = (word()?, word()?);
    if !ZULU.contains(&zone) || word().is_some() || day.len() != 2 || year.len() != 4 {
        return None;
    }
    let month = i64::try_from(MONTHS.iter().position(|m| *m == month)?).ok()? + 1;
    let mut fields = clock
        .split(':')
        .map(|f| (f.len() == 2).then(|| digits(f.as_bytes()))?);
    let mut field = || fields.next()?;
    let time = (field()?, field()?, field()?);
    if fields.next().is_some() {
        return None;
    }
    assemble(
        (digits(year.as_bytes())?, month, digits(day.as_bytes())?),
        time,
    )
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0i64, |sum, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + i64::from(byte - b'0'))
    })
}

fn assemble((year, month, day): (i64, i64, i64), (h, m, s): (i64, i64, i64)) -> Option<i64> {
    if !(1..=12).contains(&month) || h > 23 || m > 59 || s > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    // A day that the month lacks would come back as another date.
    (civil(days) == (year, month, day)).then_some(days * DAY_SECS + h * 3600 + m * 60 + s)
}

/// Days since 1970-01-01 of a Gregorian date. Years start in March here, so that the leap day
/// is the last day of a year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_known_instants() {
        // GNU date: `date -u -d @<secs>`.
        for (secs, basic, http) in [
            (0, "19700101T000000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (
                1_440_938_160,
                "20150830T123600Z",
                "Sun, 30 Aug 2015 12:36:00 GMT",
            ),
            (
                951_782_400,
                "20000229T000000Z",
                "Tue, 29 Feb 2000 00:00:00 GMT",
            ),
            (
                4_107_542_399,
                "21000228T235959Z",
                "Sun, 28 Feb 2100 23:59:59 GMT",
            ),
            (-1, "19691231T235959Z", "Wed, 31 Dec 1969 23:59:59 GMT"),
        ] {
            assert_eq!(format(secs), basic);
            assert_eq!(parse_basic(basic), Some(secs));
            assert_eq!(parse_http(http), Some(secs));
        }
        assert_eq!(parse_basic(&format(SECS_MAX)), Some(SECS_MAX));
        assert_eq!(parse_basic(&format(SECS_MIN)), Some(SECS_MIN));
        assert_eq!(format(i64::MAX), "99991231T235959Z");
        assert_eq!(format(i64::MIN), "00000101T000000Z");
    }

    #[test]
    fn reads_the_date_botocore_writes() {
        // Recorded from botocore 1.43.11 signing a request that has a `Date` header.
        assert_eq!(
            parse_http("Sun, 30 Aug 2015 12:36:00 -0000"),
            Some(1_440_938_160)
        );
        assert_eq!(parse_http("Sun, 30 Aug 2015 12:36:00 +0100"), None);
    }

    #[test]
    fn refuses_what_is_not_a_date() {
        for text in [
            "",
            "201",
            "20150830T123600",
            "2015-08-30T12:36:00Z",
            "20150830t123600Z",
            "20150830T123600z",
            "20150230T000000Z",
            "21000229T000000Z",
            "20151301T000000Z",
            "20150830T240000Z",
            "20150830T126000Z",
            "20150830T123660Z",
            "+0150830T123600Z",
            "20150800T123600Z",
            "2015083ሴT1360Z",
        ] {
            assert_eq!(parse_basic(text), None, "{text}");
        }
        for text in [
            "",
            "a",
            "Sun, 30 Aug 2015 12:36:00 UTC",
            "Sun, 30 Aug 2015 12:36 GMT",
            "Sun, 31 Feb 2015 12:36:00 GMT",
            "Sun, 30 aug 2015 12:36:00 GMT",
            "Sun, 30 Aug 2015 12:36:00 GMT ",
            "Sun, 30 Aug 2015 12:36:00:00 GMT",
            "Sun, 3 Aug 99999999999999999999 12:36:00 GMT",
        ] {
            assert_eq!(parse_http(text), None, "{text}");
        }
    }
}
