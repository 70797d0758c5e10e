//! The stream: one line for each thing that happens, in colour where the terminal has it, plain where the output goes elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;

use postrider_engine::{Clock, SystemClock};
use tokio::sync::mpsc;

use super::arrival::{Arrival, Signature};
use crate::output;
use crate::settings::Variables;

/// What happened.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// The sample CRM posted an event.
    Posted { organization: String, contract: String, event_type: String },
    /// A statement changed the CRM.
    Changed { statement: String },
    /// The CRM's database refused it.
    NotChanged { statement: String, why: String },
    /// The server did not take it.
    NotAccepted { event_type: String, why: String },
    /// A webhook arrived.
    Arrived(Arc<Arrival>),
    /// An attempt failed and another will follow.
    Waiting {
        organization: String,
        endpoint: String,
        event_type: String,
        attempts: u64,
        last_status: Option<u64>,
        next_ms: Option<i64>,
    },
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal {
    colours: bool,
    signs: bool,
}

impl Terminal {
    /// Colours for a terminal that did not ask to be spared them (no-color.org); signs beyond ASCII where its locale has them.
    pub(super) fn of(variables: &Variables) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let colours = is_terminal && variables.get("NO_COLOR").is_none() && variables.get("TERM") != Some("dumb");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| variables.get(name));
        let is_utf8 = locale.is_none_or(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8"));
        Terminal { colours, signs: is_terminal && is_utf8 }
    }

    pub(super) fn paint(self, colour: Colour, text: &str) -> String {
        if self.colours { format!("\u{1b}[{}m{text}\u{1b}[0m", colour.code()) } else { text.to_owned() }
    }

    fn sign(self, sign: &'static str, plain: &'static str) -> &'static str {
        if self.signs { sign } else { plain }
    }
}

/// What colours mean.
#[derive(Clone, Copy, Debug)]
pub(super) enum Colour {
    Good,
    Bad,
    Waiting,
    Dim,
    Strong,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Colour::Good => "32",
            Colour::Bad => "31",
            Colour::Waiting => "33",
            Colour::Dim => "2",
            Colour::Strong => "1",
        }
    }
}

/// Shows what happens until nobody tells any more.
pub(super) async fn show(mut happenings: mpsc::Receiver<Happening>, terminal: Terminal) {
    let zone = jiff::tz::TimeZone::system();
    while let Some(happening) = happenings.recv().await {
        let line = line(&happening, SystemClock.now().0, &zone, terminal);
        // Whoever cannot see the stream any more still has the page.
        if output::line(&line).is_err() {
            return;
        }
    }
}

fn line(happening: &Happening, now_ms: i64, zone: &jiff::tz::TimeZone, terminal: Terminal) -> String {
    let arrow = terminal.sign("→", "->");
    let at = |ms: i64| clock_time(ms, zone);
    match happening {
        Happening::Posted { organization, contract, event_type } => {
            let rest = format!("{:<25} {organization} ({contract})", output::plain(event_type));
            terminal.paint(Colour::Dim, &format!("{}  {} event  {rest}", at(now_ms), terminal.sign("•", "*")))
        }
        Happening::Changed { statement } => {
            let sign = terminal.sign("•", "*");
            format!(
                "{}  {}",
                dim(terminal, &at(now_ms)),
                terminal.paint(Colour::Strong, &format!("{sign} sql    {statement}"))
            )
        }
        Happening::NotChanged { statement, why } => {
            refused(&format!("{statement} was refused"), why, &at(now_ms), terminal)
        }
        Happening::NotAccepted { event_type, why } => {
            refused(&format!("{event_type} was not accepted"), why, &at(now_ms), terminal)
        }
        Happening::Arrived(arrival) => arrived(arrival, &at(arrival.at_ms), arrow, terminal),
        Happening::Waiting { organization, endpoint, event_type, attempts, last_status, next_ms } => {
            let why = last_status.map_or_else(|| "no answer in time".to_owned(), |status| status.to_string());
            let next = next_ms
                .map_or_else(String::new, |next| format!("next attempt at {}, in {}", at(next), span(next - now_ms)));
            let what = format!(
                "{} retry  {:<25} {arrow} {organization} / {endpoint}: attempt {attempts} failed ({why}); {next}",
                terminal.sign("↻", "~"),
                output::plain(event_type)
            );
            format!("{}  {}", dim(terminal, &at(now_ms)), terminal.paint(Colour::Waiting, &what))
        }
    }
}

fn refused(what: &str, why: &str, at: &str, terminal: Terminal) -> String {
    let why = output::plain(&why.replace('\n', "; "));
    format!("{}  {}", dim(terminal, at), terminal.paint(Colour::Bad, &format!("{what}: {why}")))
}

fn arrived(arrival: &Arrival, at: &str, arrow: &str, terminal: Terminal) -> String {
    let status = arrival.status.map_or_else(|| "---".to_owned(), |status| status.to_string());
    let (colour, sign) = if arrival.is_success() {
        (Colour::Good, terminal.sign("✓", "+"))
    } else {
        (Colour::Bad, terminal.sign("✗", "!"))
    };
    let signature = match &arrival.signature {
        Signature::Verified => terminal.paint(Colour::Good, terminal.sign("signed ✓", "signed ok")),
        Signature::Refused(why) => terminal.paint(
            Colour::Bad,
            &format!("{} {}", terminal.sign("signature ✗", "signature WRONG:"), output::plain(why)),
        ),
        Signature::NotChecked(_) => terminal.paint(Colour::Dim, "signature not checked"),
    };
    let place = if arrival.organization.is_empty() {
        arrival.endpoint.clone()
    } else {
        format!("{} / {}", arrival.organization, arrival.endpoint)
    };
    let time = arrival.latency_us.map_or_else(String::new, |us| format!("  {}.{} ms", us / 1_000, us % 1_000 / 100));
    let attempt = if arrival.attempt > 1 { format!("  attempt {}", arrival.attempt) } else { String::new() };
    let late =
        arrival.answered_after_ms.map(|ms| format!("  answered {}.{} s late on purpose", ms / 1_000, ms % 1_000 / 100));
    let changes = arrival.changes.as_ref().map_or_else(String::new, |changes| format!("  {}", output::plain(changes)));
    let silence = arrival.status.is_none().then(|| "  left without an answer on purpose".to_owned());
    let oddity = late.or(silence).unwrap_or_default();
    format!(
        "{}  {}  {:<25} {arrow} {}  {signature}{}{attempt}{oddity}{}",
        dim(terminal, at),
        terminal.paint(colour, &format!("{sign} {status}  ")),
        output::plain(&arrival.event_type),
        output::plain(&place),
        dim(terminal, &time),
        terminal.paint(Colour::Strong, &changes),
    )
}

fn dim(terminal: Terminal, text: &str) -> String {
    terminal.paint(Colour::Dim, text)
}

fn clock_time(ms: i64, zone: &jiff::tz::TimeZone) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    timestamp.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// A wait for people: `5 s`, `12 min`, `2 h`.
fn span(ms: i64) -> String {
    let seconds = (ms.max(0) + 500) / 1_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h", (seconds + 1_800) / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::arrival::sample_arrival;

    const PLAIN: Terminal = Terminal { colours: false, signs: false };

    fn shown(happening: &Happening, terminal: Terminal) -> String {
        line(happening, 1_700_000_000_000, &jiff::tz::TimeZone::UTC, terminal)
    }

    #[test]
    fn elsewhere_than_on_a_terminal_lines_are_plain_ascii() {
        let failed = Arrival { status: Some(503), attempt: 2, latency_us: None, ..sample_arrival() };
        let waiting = Happening::Waiting {
            organization: "Acme".into(),
            endpoint: "ERP".into(),
            event_type: "deal.won".into(),
            attempts: 1,
            last_status: Some(503),
            next_ms: Some(1_700_000_005_000),
        };
        let posted =
            Happening::Posted { organization: "Acme".into(), contract: "ours".into(), event_type: "deal.won".into() };
        let won = Arrival { changes: Some(r#"stage: "new" -> "won""#.into()), ..sample_arrival() };
        let changed = Happening::Changed { statement: "UPDATE deals SET stage = 'won' WHERE id = 1".into() };
        let lines = [
            shown(&changed, PLAIN),
            shown(&Happening::Arrived(Arc::new(won)), PLAIN),
            shown(&posted, PLAIN),
            shown(&Happening::Arrived(Arc::new(sample_arrival())), PLAIN),
            shown(&Happening::Arrived(Arc::new(failed)), PLAIN),
            shown(&waiting, PLAIN),
        ];
        let expected = [
            "22:13:20  * sql    UPDATE deals SET stage = 'won' WHERE id = 1",
            r#"00:00:00  + 204    deal.won                  -> Acme / CRM  signed ok  2.1 ms  stage: "new" -> "won""#,
            "22:13:20  * event  deal.won                  Acme (ours)",
            "00:00:00  + 204    deal.won                  -> Acme / CRM  signed ok  2.1 ms",
            "00:00:00  ! 503    deal.won                  -> Acme / CRM  signed ok  attempt 2",
            "22:13:20  ~ retry  deal.won                  -> Acme / ERP: attempt 1 failed (503); next attempt at 22:13:25, in 5 s",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_arrives_cannot_control_the_terminal() {
        let hostile =
            Arrival { event_type: "\u{1b}[2Jdeal\n".into(), endpoint: "/in/\u{7}".into(), ..sample_arrival() };
        let shown = shown(&Happening::Arrived(Arc::new(hostile)), PLAIN);
        assert!(!shown.contains(|c: char| c.is_control()), "{shown:?}");
    }

    #[test]
    fn a_terminal_gets_colours() {
        let shown = shown(&Happening::Arrived(Arc::new(sample_arrival())), Terminal { colours: true, signs: true });
        assert!(shown.contains("\u{1b}[32m✓ 204"), "{shown:?}");
    }

    #[test]
    fn waits_are_told_in_the_unit_that_people_use() {
        assert_eq!([0, 4_600, 119_000, 300_000, 7_200_000].map(span), ["0 s", "5 s", "119 s", "5 min", "2 h"]);
    }
}
