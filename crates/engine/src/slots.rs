//! How many attempts of one endpoint may be under way: more with every prompt answer, half with every silence.

use std::time::Duration;

use crate::limits::EngineLimits;

/// How an attempt went, as far as the next ones are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was over soon, well or badly.
    Prompt,
    /// An answer came, but it took its time.
    Slow,
    /// Nothing came until the deadline, or nobody was there.
    Silence,
}

impl Answer {
    pub(crate) fn after(elapsed: Duration, is_silence: bool, limits: &EngineLimits) -> Self {
        match (is_silence, elapsed <= limits.prompt_max) {
            (true, _) => Answer::Silence,
            (false, true) => Answer::Prompt,
            (false, false) => Answer::Slow,
        }
    }
}

/// The slots of one lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots {
    now: usize,
    initial: usize,
    max: usize,
    latest: Option<Answer>,
}

impl Slots {
    pub(crate) fn new(limits: &EngineLimits) -> Self {
        let initial = limits.lane_slots_initial;
        Slots { now: initial, initial, max: limits.lane_slots_max, latest: None }
    }

    /// The endpoint was resumed: what was earned before counts no more.
    pub(crate) fn begin_anew(&mut self) {
        self.now = self.initial;
    }

    pub(crate) fn note(&mut self, answer: Answer) {
        self.now = match answer {
            Answer::Prompt => (self.now + 1).min(self.max),
            Answer::Slow => (self.now + 1).min((self.max / 2).max(1)),
            Answer::Silence => (self.now / 2).max(1),
        };
        self.latest = Some(answer);
    }

    pub(crate) fn now(&self) -> usize {
        self.now
    }

    /// Its latest attempt was over soon, so that one more does not hold up others.
    pub(crate) fn is_prompt(&self) -> bool {
        self.latest == Some(Answer::Prompt)
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.latest == Some(Answer::Silence)
    }
}
