# One webhook.
webhook-tabs = Webhook
webhook-deliveries = Deliveries
webhook-edit = Edit
webhook-secret = Secret
webhook-recover = Recover
webhook-diagnose = Diagnose
webhook-code = Verification code
