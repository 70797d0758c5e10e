# A lista de webhooks.
webhooks-create = Criar webhook
webhooks-empty = Um webhook envia os eventos do seu CRM aos seus próprios sistemas no momento em que acontecem. Crie um, envie um evento de teste e ative-o.
webhooks-name = Nome e URL
webhooks-events = Eventos
webhooks-status = Situação
status-active = Ativo
status-paused = Pausado
status-disabled = Desativado
