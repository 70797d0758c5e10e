# Um webhook.
webhook-tabs = Webhook
webhook-deliveries = Entregas
webhook-edit = Editar
webhook-secret = Segredo
webhook-recover = Recuperar
webhook-diagnose = Diagnosticar
webhook-code = Código de verificação
