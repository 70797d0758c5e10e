# The operator’s own screens.
organizations-new = Create organization
organizations-new-title = Create organization
organizations-empty = There is no organization yet. Your CRM makes one for each of its customers, or you make one here.
organizations-none-found = No organization matches.
organizations-search = Name or id
organizations-find = Search
organizations-none-here = Not found among the organizations that were looked at so far. There are more.
organizations-name = Name
organizations-name-help = What the CRM’s customer is called.
organizations-exists = There is an organization with this id already.
organizations-id = Id
organizations-id-help = What your CRM calls it: letters, digits, “-”, “_”, “.” and “:”. It cannot be changed later; one is made when you leave it empty.
organizations-contract = Contract
organizations-contract-help = What its receivers are promised: event types, format, signature, schedule.
organizations-plan = Plan
organizations-plan-help = Limits how many webhooks it may have. Each contract has plans of its own.
organizations-no-plan = No plan
organizations-made-at = Created
organizations-open = Open dashboard
organizations-deleted = The organization { $organization } was deleted.
organization-made = The organization was created.
organization-saved = Saved.
organization-settings = Settings
organization-validation = Checking of events
organization-validation-help = Whether the data of each event is held against the schema of its type.
organization-frames = Pages that may show the dashboard in a frame
organization-frames-help = One origin a line, such as https://crm.example.com. Without any, no page may.
organization-delete = Delete organization
organization-delete-text = Its webhooks, keys and history go with it, and nobody can read them again. This cannot be undone.
organization-delete-confirm = Type { $organization } to confirm
organization-delete-help = The organization’s id, exactly as it is written above.
organization-delete-differs = That is not this organization’s id. Nothing was deleted.
link-title = Portal link
link-about = Lets one person into this organization’s dashboard, without a password. Give it to the one it is for.
link-role = They may
link-admin = Change everything
link-viewer = Only look
link-lasts = It works for
link-language-browser = As the browser says
link-make = Create link
link-made-title = Portal link created
link-once = Copy the link now. It is shown here and never again, and whoever has it is let in.
link-until = It works until
contracts-about = What receivers are promised. Each is a file that the server reads when it starts.
contracts-name = Contract
contracts-description = Description
contracts-default = Default
contract-yes = Yes
contract-no = No
contract-none = None
contract-never = Never
contract-no-limit = No limit
contract-days = { $number } d
contract-hours = { $number } h
contract-minutes = { $number } min
contract-seconds = { $number } s
contract-deliveries = Deliveries
contract-timeout = An attempt may take
contract-retries = Retries
contract-no-retries = A failed delivery is not tried again.
contract-jitter = Spread at random
contract-jitter-words = Each wait is up to { $share } longer
contract-disable = Disabled
contract-https = Only https
contract-steps-at = Retries, counted from the first failure
contract-steps-after = Retries, each after a wait of
contract-secrets = Secrets
contract-signed = Requests are signed
contract-required = A secret is required
contract-generated = Made when none is given
contract-chosen = People may bring their own
contract-overlap = Old and new both work for
contract-limits = Limits
contract-webhooks-max = Webhooks without a plan
contract-per-event-max = Webhooks of one system for an event type
contract-headers = Custom headers
contract-plans = Plans
contract-events = Event types
contract-open = Types beside these are passed on as they are.
contract-sample = Sample of { $event }
contract-derived = Derived event types
contract-derived-from = When this is published
contract-derived-when = And this holds
contract-derived-type = It is also
contract-code = Verification code
contract-code-about = A whole receiver for each language, for exactly this contract.
contract-revision = Revision
system-pending = Pending deliveries
system-due = Due now
system-under-way = Attempts under way on this node
system-oldest = Oldest is due since
system-none-due = Nothing is waiting
system-estimate = So much waits that not all of it is looked at: these numbers are estimates.
system-nodes = Nodes
system-node = Node
system-lanes = Webhooks it delivers to
system-renewed = Last sign of life
system-alone = The only node
system-this = This one
system-source = Source
source-state-reading = Connected
source-state-waiting = Waiting
source-state-failed = Failed
system-source-waiting = Changes that wait
system-source-oldest = The oldest waits for
system-source-missed = Changes missed
system-source-refused = Let go by this node
system-source-log = Bytes of log kept
system-source-backfills = Backfills under way
system-source-table = Table
system-source-done = Rows told
system-source-total = Of
system-source-uncounted = Not counted
system-source-database = Database
system-source-node = Read by
system-source-nobody = No node at the moment
system-source-capture = Captured by
source-capture-triggers = Triggers
source-capture-replication = Logical replication
system-source-waiting-max = Changes that may wait
system-source-log-max = Bytes of log that may be kept
system-store = Store
system-version = Version
store-sqlite = SQLite, embedded
store-postgres = Postgres
organizations-plan-webhooks = { $number ->
    [one] { $number } webhook
   *[other] { $number } webhooks
}
link-minutes = { $number ->
    [one] { $number } minute
   *[other] { $number } minutes
}
link-hours = { $number ->
    [one] { $number } hour
   *[other] { $number } hours
}
contract-retries-words = { $number ->
    [one] { $number } retry, within { $span }
   *[other] { $number } retries, within { $span }
}
contract-disable-words = { $number ->
    [one] After { $number } failure, over { $span } at least
   *[other] After { $number } failures on end, over { $span } at least
}
contract-headers-words = Up to { $number }, of { $bytes } bytes in all
