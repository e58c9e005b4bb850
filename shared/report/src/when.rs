//! How a report writes moments: its date once, and from then on only the times of that day. All are in UTC.

use pullsafe::timestamp::Timestamp;

/// The day of a report.
#[derive(Debug, Clone)]
pub(super) struct When {
    /// The date, such as `2026-01-15`; for a moment beyond all calendars, its whole text.
    day: String,
}

impl When {
    /// Takes the day on which a report's incident began.
    pub(super) fn of(opened_at: Timestamp) -> Self {
        let text = opened_at.to_string();
        Self {
            day: stamp(&text).map_or_else(|| text.clone(), |(day, _, _)| day.to_owned()),
        }
    }

    pub(super) fn day(&self) -> &str {
        &self.day
    }

    /// Writes a moment as `19:48:55`, with the date in front if it is another day.
    pub(super) fn at(&self, moment: Timestamp) -> String {
        self.text(&moment.to_string())
    }

    /// Writes a moment to the minute, for a picture: `19:48`, or `2026-01-16 01:48`.
    pub(super) fn minute(&self, moment: Timestamp) -> String {
        let text = moment.to_string();
        match stamp(&text) {
            Some((day, time, _)) if day == self.day => time[..5].to_owned(),
            Some((day, time, _)) => format!("{day} {}", &time[..5]),
            None => text,
        }
    }

    /// Rewrites the moments in a text in this way. A moment that does not follow a space, a line break or an opening
    /// parenthesis is part of a name or a value, and stays as it is.
    pub(super) fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let (mut rest, mut before) = (text, ' ');
        while let Some(character) = rest.chars().next() {
            if let Some((day, time, length)) = stamp(rest).filter(|_| matches!(before, ' ' | '(' | '\n')) {
                if day != self.day {
                    out.push_str(day);
                    out.push(' ');
                }
                out.push_str(time);
                rest = &rest[length..];
                before = 'Z';
                continue;
            }
            out.push(character);
            before = character;
            rest = &rest[character.len_utf8()..];
        }
        out
    }
}

/// Returns the day and the time that a text begins with, and the length of both. They have to be in the form in which
/// timestamps are written.
fn stamp(text: &str) -> Option<(&str, &str, usize)> {
    const FORM: &[u8] = b"0000-00-00T00:00:00Z";
    let fits = |(form, byte): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { form == byte };
    let head = text.as_bytes().get(..FORM.len())?;
    FORM.iter().zip(head).all(fits).then(|| (&text[..10], &text[11..19], FORM.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_written_where_it_is_another() {
        let when = When::of(Timestamp::from_millis(1_768_504_765_000));
        for (text, written) in [
            ("2026-01-15T19:48:55Z done", "19:48:55 done"),
            ("from 2026-01-15T19:48:55Z (2026-01-16T01:19:25Z)", "from 19:48:55 (2026-01-16 01:19:25)"),
            ("pullsafe:moved-at=2026-01-15T19:48:55Z", "pullsafe:moved-at=2026-01-15T19:48:55Z"),
            ("é 2026-01-15T19:48:55", "é 2026-01-15T19:48:55"),
            ("", ""),
        ] {
            assert_eq!(when.text(text), written);
        }
        assert_eq!(
            (when.day(), when.minute(Timestamp::from_millis(1_768_504_765_000)).as_str()),
            ("2026-01-15", "19:19")
        );
    }

    #[test]
    fn a_moment_beyond_all_calendars_is_written_as_it_is() {
        let strange = Timestamp::from_millis(i64::MAX);
        assert_eq!(When::of(strange).at(strange), strange.to_string());
    }
}
