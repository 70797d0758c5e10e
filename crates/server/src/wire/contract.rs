//! Contracts as JSON: what receivers are promised.

use std::time::Duration;

use postrider_contract::{Contract, Derived, EventType, Plan, SecretKind};
use postrider_domain::ScheduleKind;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A contract as lists show it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contract)]
pub(crate) struct ContractBody<'a> {
    #[schema(example = "standard")]
    name: &'a str,
    title: &'a str,
    description: &'a str,
    /// The content hash of its file as it is now. A delivery keeps to the revision that it was made under.
    revision: String,
    /// Whether organisations that name no contract have this one.
    default: bool,
}

impl<'a> ContractBody<'a> {
    pub(crate) fn new(contract: &'a Contract) -> Self {
        ContractBody {
            name: contract.name(),
            title: contract.title(),
            description: contract.description(),
            revision: contract.revision().to_string(),
            default: contract.is_default(),
        }
    }
}

/// A contract with what it promises.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContractWithPromises)]
pub(crate) struct ContractDetailBody<'a> {
    #[serde(flatten)]
    contract: ContractBody<'a>,
    /// Whether event types beside the catalogue's are passed on as they are.
    open: bool,
    /// Whether requests are signed.
    signed: bool,
    secret: SecretBody<'a>,
    /// How long one attempt may take, in milliseconds.
    timeout_ms: u64,
    retries: RetriesBody,
    /// When endpoints that keep failing are disabled; never when `null`.
    #[schema(required = true)]
    disable: Option<DisableBody>,
    /// The plans that an organisation may be on.
    plans: Vec<PlanBody<'a>>,
    limits: LimitsBody,
    /// Whether only `https` is accepted, unless the operator allows `http`.
    https_only: bool,
    custom_headers: CustomHeadersBody,
    event_types: Vec<EventTypeBody<'a>>,
    /// What events also are.
    derived: Vec<DerivedBody<'a>>,
}

impl<'a> ContractDetailBody<'a> {
    pub(crate) fn new(contract: &'a Contract) -> Self {
        let limits = contract.limits();
        let headers = contract.custom_headers();
        ContractDetailBody {
            contract: ContractBody::new(contract),
            open: contract.is_open(),
            signed: contract.is_signed(),
            secret: SecretBody::new(contract),
            timeout_ms: ms(contract.response().timeout),
            retries: RetriesBody::new(contract),
            disable: contract.disable().map(|rule| DisableBody {
                consecutive_failures: rule.consecutive_failures,
                minimum_span_ms: ms(rule.minimum_span),
            }),
            plans: limits.plans.iter().map(PlanBody::new).collect(),
            limits: LimitsBody {
                endpoints_max: limits.endpoints_max,
                endpoints_per_event_and_system_max: limits.endpoints_per_event_and_system_max,
            },
            https_only: contract.url().https_only,
            custom_headers: CustomHeadersBody {
                allowed: headers.allowed,
                count_max: headers.count_max,
                bytes_max: headers.bytes_max,
            },
            event_types: contract.event_types().iter().map(EventTypeBody::new).collect(),
            derived: contract.derived().iter().map(DerivedBody::new).collect(),
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What a contract says about secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecretRules)]
pub(crate) struct SecretBody<'a> {
    /// Whether an endpoint must have one.
    required: bool,
    /// Whether one is made when none is given.
    generated: bool,
    /// Whether people may bring their own.
    chosen: bool,
    /// How long old and new both work after a rotation, in milliseconds.
    overlap_ms: u64,
    /// The kinds there are, the one that is made unless another is asked for first; empty where nothing is signed.
    kinds: Vec<SecretKindBody<'a>>,
}

/// One kind of secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecretKind)]
pub(crate) struct SecretKindBody<'a> {
    /// What its secrets begin with; empty where they may begin with anything.
    #[schema(example = "whsec_")]
    prefix: &'a str,
    /// Whether it is a key pair: receivers then verify with the endpoint's `public_key`.
    asymmetric: bool,
}

impl<'a> SecretBody<'a> {
    fn new(contract: &'a Contract) -> Self {
        let kind_of = |kind: SecretKind<'a>| SecretKindBody { prefix: kind.prefix(), asymmetric: kind.is_asymmetric() };
        let rules = contract.secret();
        SecretBody {
            required: rules.required,
            generated: rules.generated,
            chosen: rules.chosen,
            overlap_ms: ms(rules.overlap),
            kinds: contract.secret_kinds().map(kind_of).collect(),
        }
    }
}

/// When failed deliveries are tried again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Retries)]
pub(crate) struct RetriesBody {
    /// `at`: offsets from the first failure. `after`: waits since the previous attempt.
    #[schema(example = "after")]
    kind: &'static str,
    /// One entry a retry, in milliseconds.
    steps_ms: Vec<u64>,
    /// How much of a wait may be added at random, from 0 to 1.
    jitter: f64,
}

impl RetriesBody {
    fn new(contract: &Contract) -> Self {
        let schedule = contract.schedule();
        let kind = match schedule.kind {
            ScheduleKind::At => "at",
            ScheduleKind::After => "after",
        };
        RetriesBody { kind, steps_ms: schedule.steps.iter().copied().map(ms).collect(), jitter: schedule.jitter }
    }
}

/// When an endpoint that keeps failing is disabled: both conditions together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DisableRule)]
pub(crate) struct DisableBody {
    /// So many failed attempts since the last success.
    consecutive_failures: u32,
    /// And so long since the first of them, in milliseconds.
    minimum_span_ms: u64,
}

/// A plan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub(crate) struct PlanBody<'a> {
    name: &'a str,
    title: &'a str,
    /// How many endpoints it allows; `null` for no limit.
    #[schema(required = true)]
    endpoints_max: Option<u32>,
}

impl<'a> PlanBody<'a> {
    fn new(plan: &'a Plan) -> Self {
        PlanBody { name: &plan.name, title: &plan.title, endpoints_max: plan.endpoints_max }
    }
}

/// How much an organisation may create.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContractLimits)]
pub(crate) struct LimitsBody {
    /// How many endpoints an organisation without a plan may have; `null` for no limit.
    #[schema(required = true)]
    endpoints_max: Option<u32>,
    /// How many enabled and paused endpoints of one system may subscribe to the same event type.
    #[schema(required = true)]
    endpoints_per_event_and_system_max: Option<u32>,
}

/// What custom headers endpoints may have.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomHeaderRules)]
pub(crate) struct CustomHeadersBody {
    allowed: bool,
    /// How many one endpoint may have.
    count_max: usize,
    /// How many bytes all of its names and values together may have.
    bytes_max: usize,
}

/// One event type of a catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventType)]
pub(crate) struct EventTypeBody<'a> {
    /// Its name, as receivers know it.
    #[schema(example = "deal.won")]
    name: &'a str,
    /// When it happens.
    description: &'a str,
    /// The type of the record that it is about.
    #[schema(example = "deal")]
    resource: &'a str,
    /// Under which heading it is listed.
    category: &'a str,
    /// The JSON Schema (2020-12) of its data.
    #[schema(required = true, value_type = Object)]
    schema: Option<&'a RawValue>,
    /// Realistic data.
    #[schema(required = true, value_type = Object)]
    sample: Option<&'a RawValue>,
}

impl<'a> EventTypeBody<'a> {
    pub(crate) fn new(event_type: &'a EventType) -> Self {
        // Both were checked when the contract was read.
        let as_it_is = |text: &'a str| serde_json::from_str::<&RawValue>(text).ok();
        EventTypeBody {
            name: &event_type.name,
            description: &event_type.description,
            resource: &event_type.resource,
            category: &event_type.category,
            schema: as_it_is(&event_type.schema),
            sample: as_it_is(&event_type.sample),
        }
    }
}

/// What an event of one type also is, under a condition.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DerivedType)]
pub(crate) struct DerivedBody<'a> {
    /// The type that is published.
    #[schema(example = "deal.updated")]
    from: &'a str,
    /// What must hold: a condition in the language of filters.
    #[schema(example = "changes.stage")]
    when: &'a str,
    /// What the event then also is.
    #[serde(rename = "type")]
    #[schema(example = "deal.stage_changed")]
    event_type: &'a str,
}

impl<'a> DerivedBody<'a> {
    fn new(derived: &'a Derived) -> Self {
        DerivedBody { from: &derived.from, when: derived.when.as_str(), event_type: &derived.event_type }
    }
}
