//! The figures, as a table for people and as JSON for scripts.

use std::fmt::Write as _;

use serde::Serialize;

use crate::machine::Machine;
use crate::options::Scenario;

/// What a value is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share of something measured in the same run, from 0 to 1; shown in percent.
    Share,
    /// How many times as much.
    Times,
    /// Something a second.
    PerSecond,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Megabytes of 10^6 bytes.
    Megabytes,
    /// Percent of one core.
    CorePercent,
    /// A number of things.
    Count,
}

impl Unit {
    /// Whether the machine's speed cancels out.
    fn is_ratio(self) -> bool {
        matches!(self, Unit::Share | Unit::Times)
    }

    fn show(self, value: f64) -> String {
        match self {
            Unit::Share => format!("{:.1} %", value * 100.0),
            Unit::Times => format!("{value:.2} ×"),
            Unit::PerSecond => format!("{} /s", with_groups(value)),
            Unit::Microseconds => format!("{value:.1} µs"),
            Unit::Milliseconds => format!("{value:.2} ms"),
            Unit::Seconds => format!("{value:.2} s"),
            Unit::Bytes => format!("{} B", with_groups(value)),
            Unit::Megabytes => format!("{value:.1} MB"),
            Unit::CorePercent => format!("{value:.2} %"),
            Unit::Count => with_groups(value),
        }
    }
}

/// A whole number with its thousands set apart.
fn with_groups(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digit.is_ascii_digit() && (digits.len() - index) % 3 == 0 {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// What a value should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// Less than this.
    Below(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Target::AtLeast(bound) => value >= bound,
            Target::AtMost(bound) => value <= bound,
            Target::Below(bound) => value < bound,
        }
    }

    fn show(self, unit: Unit) -> String {
        match self {
            Target::AtLeast(bound) => format!("≥ {}", unit.show(bound)),
            Target::AtMost(bound) => format!("≤ {}", unit.show(bound)),
            Target::Below(bound) => format!("< {}", unit.show(bound)),
        }
    }
}

/// One measured value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The scenario it comes from.
    pub scenario: &'static str,
    /// What was measured.
    pub name: String,
    /// How much it was.
    pub value: f64,
    /// In what.
    pub unit: Unit,
    /// What it should be, where something is promised.
    pub target: Option<Target>,
    /// Whether it is.
    pub met: Option<bool>,
}

/// What a run found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// How long each figure was measured, in seconds.
    pub seconds: f64,
    /// The contract of the organisations.
    pub contract: String,
    /// The values, ratios first.
    pub figures: Vec<Figure>,
    /// What a reader of the figures must know besides.
    pub notes: Vec<String>,
}

impl Report {
    pub(crate) fn new(machine: Machine, seconds: f64, contract: &str) -> Self {
        Report { machine, seconds, contract: contract.to_owned(), figures: Vec::new(), notes: Vec::new() }
    }

    pub(crate) fn add(&mut self, scenario: Scenario, name: &str, value: f64, unit: Unit) {
        let figure = Figure { scenario: scenario.name(), name: name.to_owned(), value, unit, target: None, met: None };
        self.figures.push(figure);
    }

    pub(crate) fn judge(&mut self, scenario: Scenario, name: &str, value: f64, unit: Unit, target: Target) {
        self.add(scenario, name, value, unit);
        if let Some(figure) = self.figures.last_mut() {
            figure.target = Some(target);
            figure.met = Some(target.is_met(value));
        }
    }

    pub(crate) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Ratios first, for they compare between machines; otherwise as they were measured.
    pub(crate) fn finish(mut self) -> Self {
        self.figures.sort_by_key(|figure| !figure.unit.is_ratio());
        self
    }

    /// How many figures miss their target.
    #[must_use]
    pub fn missed(&self) -> usize {
        self.figures.iter().filter(|figure| figure.met == Some(false)).count()
    }

    /// The table for people, with its heading and notes.
    #[must_use]
    pub fn table(&self) -> String {
        let header = ["scenario", "figure", "value", "target", "met"].map(str::to_owned);
        let rows: Vec<[String; 5]> = std::iter::once(header).chain(self.figures.iter().map(row)).collect();
        let mut widths = [0; 5];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let Machine { cores, cpu, kernel, filesystem } = &self.machine;
        let mut text = format!(
            "{cores} cores ({cpu}), Linux {kernel}, data on {filesystem}; contract {}, {} s a figure\n\n",
            self.contract, self.seconds
        );
        for [scenario, name, value, target, met] in &rows {
            let [a, b, c, d, _] = widths;
            // Writing into a text cannot fail.
            let _ = writeln!(text, "{scenario:<a$}  {name:<b$}  {value:>c$}  {target:>d$}  {met}");
        }
        for note in &self.notes {
            let _ = write!(text, "\nNote: {note}");
        }
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        lines.join("\n") + "\n"
    }

    /// The same for scripts.
    ///
    /// # Errors
    /// None that can happen: every field has a JSON form.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

fn row(figure: &Figure) -> [String; 5] {
    let met = match figure.met {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "",
    };
    [
        figure.scenario.to_owned(),
        figure.name.clone(),
        figure.unit.show(figure.value),
        figure.target.map(|target| target.show(figure.unit)).unwrap_or_default(),
        met.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let machine = Machine { cores: 2, cpu: "C".into(), kernel: "6.1".into(), filesystem: "ext4".into() };
        let mut report = Report::new(machine, 10.0, "made-up");
        report.judge(Scenario::Single, "deliveries", 15_000.4, Unit::PerSecond, Target::AtLeast(15_000.0));
        report.judge(Scenario::Isolation, "p99 with and without", 2.0, Unit::Times, Target::Below(2.0));
        report.add(Scenario::Single, "share of the ceiling", 0.1234, Unit::Share);
        report.note("Short.".to_owned());
        report.finish()
    }

    #[test]
    fn ratios_stand_first_and_targets_are_judged_at_their_bound() {
        let expected = "\
2 cores (C), Linux 6.1, data on ext4; contract made-up, 10 s a figure

scenario   figure                    value       target  met
isolation  p99 with and without     2.00 ×     < 2.00 ×  NO
single     share of the ceiling     12.3 %
single     deliveries            15,000 /s  ≥ 15,000 /s  yes

Note: Short.
";
        assert_eq!(report().table(), expected);
        assert_eq!(report().missed(), 1);
    }

    #[test]
    fn scripts_read_values_units_and_targets() {
        let json: serde_json::Value = serde_json::from_str(&report().json().unwrap()).unwrap();
        let figure = &json["figures"][2];
        assert_eq!(figure["unit"], "per_second");
        assert_eq!(figure["target"]["at_least"], 15_000.0);
        assert_eq!(figure["met"], true);
        assert_eq!(json["figures"][1]["target"], serde_json::Value::Null);
    }

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0.0, 999.0, 1_000.0, 1_234_567.0].map(with_groups);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
