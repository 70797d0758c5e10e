//! `source backfill`: gives an order and follows it.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;
use postrider_domain::Millis;
use postrider_source::backfill::{Backfills, NewOrder, OrderState};
use serde_json::json;
use tokio::time::Instant;

use crate::cli::BackfillArgs;
use crate::commands::source::open;
use crate::failure::Misuse;
use crate::output;
use crate::settings::Variables;
use crate::stop::StopSignals;

/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often it is told where there is no terminal.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// After this time without any progress it is said what may be missing.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// `source backfill`
pub(crate) async fn run(args: &BackfillArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let since = args.since.as_deref().map(moment).transpose()?;
    let (mapping, address) = open(&args.source, variables)?;
    let table = mapping.tables.iter().find(|table| table.table.to_string() == args.table);
    let table = table.with_context(|| {
        let names: Vec<_> = mapping.tables.iter().map(|table| table.table.to_string()).collect();
        format!("the mapping has no table {:?}; it has {}", args.table, names.join(", "))
    })?;
    let orders = Backfills::open(&address, &mapping).await?;
    if args.cancel {
        let Some(ended) = orders.cancel(&args.table).await? else {
            bail!("no backfill of {} is under way", args.table);
        };
        return tell(&ended, args.json);
    }
    let signals = StopSignals::catch().context("signals cannot be caught")?;
    let given = orders.give(&NewOrder { table, since, rate: args.rate }).await?;
    let ended = tokio::select! {
        ended = follow(&orders, &given) => ended?,
        _ = signals.first() => {
            let state = orders.look(given.id).await?.unwrap_or(given);
            let cancel = format!("postrider source backfill {} --cancel", args.table);
            output::note(&format!(
                "{state}; the server goes on with it. `postrider source status` says how far it is, and this ends it: {cancel}"
            ));
            return Ok(ExitCode::SUCCESS);
        }
    };
    tell(&ended, args.json)
}

/// The order once it has ended.
async fn follow(orders: &Backfills, given: &OrderState) -> anyhow::Result<OrderState> {
    let shown = Shown::new(given);
    let (mut told_at, mut moved_at, mut done, mut is_warned) = (Instant::now(), Instant::now(), 0, false);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(state) = orders.look(given.id).await? else {
            bail!("the order is gone: the source was installed anew");
        };
        if state.is_ended {
            shown.bar.finish_and_clear();
            return Ok(state);
        }
        if state.done != done {
            (done, moved_at) = (state.done, Instant::now());
        }
        shown.bar.set_position(state.done);
        if !shown.is_bar && told_at.elapsed() >= TELL_EVERY {
            told_at = Instant::now();
            output::note(&state.to_string());
        }
        if moved_at.elapsed() >= STUCK_AFTER && !is_warned {
            is_warned = true;
            shown.bar.suspend(|| {
                output::note(
                    "it does not go on: a running server with this source does it, after all live changes that wait",
                );
            });
        }
    }
}

/// A bar on a terminal, lines elsewhere.
struct Shown {
    bar: ProgressBar,
    is_bar: bool,
}

impl Shown {
    fn new(given: &OrderState) -> Self {
        let is_bar = std::io::stderr().is_terminal();
        if !is_bar {
            return Shown { bar: ProgressBar::hidden(), is_bar };
        }
        let (bar, template) = match given.total {
            Some(total) => (ProgressBar::new(total), "{elapsed_precise} [{bar:30}] {pos} of {len} rows, {eta} left"),
            None => (ProgressBar::new_spinner(), "{elapsed_precise} {spinner} {pos} rows"),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Shown { bar: bar.with_style(style), is_bar }
    }
}

fn tell(state: &OrderState, is_json: bool) -> anyhow::Result<ExitCode> {
    output::line(&if is_json {
        json!({
            "id": state.id.to_string(), "table": state.table, "done": state.done, "total": state.total, "ended": state.is_ended,
            "error": state.error,
        })
        .to_string()
    } else {
        state.to_string()
    })?;
    let is_well = state.error.as_deref().is_none_or(|error| error == OrderState::CANCELLED);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(crate::failure::FAILED) })
}

/// A date, whose beginning in UTC is meant, or a time.
fn moment(text: &str) -> anyhow::Result<Millis> {
    let time = text.parse::<jiff::Timestamp>().ok();
    // A time without a zone would be taken for its date.
    let is_date = !text.contains(['T', 't', ' ']);
    let of_date = || Some(text.parse::<jiff::civil::Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let at = time.or_else(|| is_date.then(of_date)?).ok_or_else(|| {
        Misuse::of(format!(
            "--since {text:?} is no time; write a date as 2026-01-01, or a time as 2026-01-01T12:00:00Z"
        ))
    })?;
    Ok(Millis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_a_moment_with_its_zone() {
        let at = |text| moment(text).ok().map(|at| at.0);
        assert_eq!(at("2026-01-01"), Some(1_767_225_600_000));
        assert_eq!(at("2026-01-01T01:00:00+01:00"), Some(1_767_225_600_000));
        assert_eq!((at("yesterday"), at("2026-01-01T01:00:00")), (None, None), "whose one o'clock?");
    }
}
