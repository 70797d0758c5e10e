# What keeps a webhook from receiving.
diagnose-title = Find out what is wrong
diagnose-text = Checks everything between here and your server, step by step: status, URL, DNS, connection, certificate. Where it can arrive, a signed test event is sent.
diagnose-run = Run the diagnosis
diagnose-run-again = Run it again
diagnose-takes = It takes up to a minute.
diagnose-healthy = Nothing keeps this webhook from receiving
diagnose-healthy-text = Every step was looked at. Warnings, if any, are worth a look.
diagnose-unhealthy = Something keeps this webhook from receiving
diagnose-unhealthy-text = Begin with the first step that failed; later ones often follow from it.
diagnose-do = What to do:
diagnose-to-edit = Edit the webhook
diagnose-to-code = Verification code
diagnose-to-delivery = The test event, as it was sent and answered

outcome-passed = In order
outcome-warning = Warning
outcome-failed = Failed
outcome-skipped = Skipped
check-endpoint-status = Status of the webhook
check-url = URL
check-dns = DNS
check-tcp = Connection
check-tls = Encryption (TLS)
check-certificate = Certificate
check-probe = Test event
check-response-time = Response time
check-redirect = Redirects
check-signature = Signature

egress-title = Addresses that deliveries come from
egress-text = If a firewall protects your server, let these in:
egress-none = Whoever runs this service has named none. If a firewall protects your server, ask them which addresses to let in.
