//! Dates of the EXIF kind, `2014:06:07 10:24:05`, and their offsets, to milliseconds in UTC.

const MS_A_DAY: i64 = 86_400_000;
const MS_A_MINUTE: i64 = 60_000;

/// Days since 1970-01-01 of a Gregorian date (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Milliseconds of `YYYY:MM:DD HH:MM:SS` (any separators), as if it were UTC.
pub(crate) fn date_time_ms(text: &str) -> Option<i64> {
    let mut parts = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty());
    let mut number = || parts.next()?.parse::<i64>().ok();
    let (date, time) = (
        [number()?, number()?, number()?],
        [number()?, number()?, number()?],
    );
    let [hour, minute, second] = time;
    let valid = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    if !valid {
        return None;
    }
    Some(date_ms(date)? + (hour * 60 + minute) * MS_A_MINUTE + second * 1000)
}

/// Milliseconds of a date at midnight; none for dates that a calendar does not have.
fn date_ms([year, month, day]: [i64; 3]) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    let valid = (1..=9999).contains(&year) && (1..=last).contains(&day);
    valid.then(|| days(year, month, day) * MS_A_DAY)
}

/// Milliseconds of an EXIF GPS date and its time as hours, minutes and seconds.
#[allow(clippy::cast_possible_truncation)] // less than a day
pub(crate) fn gps_ms(date: &str, time: [f64; 3]) -> Option<i64> {
    let mut parts = date
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty());
    let mut number = || parts.next()?.parse::<i64>().ok();
    let start = date_ms([number()?, number()?, number()?])?;
    let seconds = time[0] * 3600.0 + time[1] * 60.0 + time[2];
    (0.0..=86_400.0)
        .contains(&seconds)
        .then(|| start + (seconds * 1000.0).round() as i64)
}

/// Milliseconds ahead of UTC of an offset such as `+02:00` or `Z`.
pub(crate) fn offset_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    if text == "Z" {
        return Some(0);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':')?;
    let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().ok()?);
    let valid = (0..=14).contains(&hours) && (0..60).contains(&minutes);
    valid.then_some(sign * (hours * 60 + minutes) * MS_A_MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_date_has_its_unix_time() {
        assert_eq!(date_time_ms("2014:06:07 10:24:05"), Some(1_402_136_645_000));
        assert_eq!(date_time_ms("1969:12:31 23:59:59"), Some(-1_000));
        assert_eq!(
            gps_ms("2000:02:29", [12.0, 30.0, 0.5]),
            Some(951_827_400_500)
        );
    }

    #[test]
    fn impossible_dates_are_unknown() {
        for text in [
            "0000:00:00 00:00:00",
            "2023:02:29 00:00:00",
            "2014:06:07",
            "",
            "2014:13:01 1:1:1",
        ] {
            assert_eq!(date_time_ms(text), None, "{text}");
        }
        assert_eq!(gps_ms("2014:06:07", [25.0, 0.0, 0.0]), None);
    }

    #[test]
    fn offsets_have_signs() {
        assert_eq!(offset_ms("+02:00"), Some(7_200_000));
        assert_eq!(offset_ms("-03:30"), Some(-12_600_000));
        assert_eq!(
            (offset_ms("Z"), offset_ms("CET"), offset_ms("")),
            (Some(0), None, None)
        );
    }
}
