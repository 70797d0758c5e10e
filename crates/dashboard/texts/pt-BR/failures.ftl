# O que falhou, em todos os webhooks.
failures-none-title = Nada falhou
failures-none = Aqui aparecem as entregas que falharam em todos os seus webhooks, com o motivo e o que fazer.
failures-stopped = Webhooks com problemas
failures-in-a-row = { $count ->
    [one] { $count } tentativa falhou
   *[other] { $count } tentativas seguidas falharam
}
failures-since = desde
failures-diagnose = Diagnosticar
failures-recover = Recuperar o que se perdeu
failures-deleted = Webhook excluído
failures-delivery = Entrega
failures-record = Registro
failures-state = Situação
failures-when = Quando
failures-attempts = Tentativas
failures-code = Último código de status
failures-open-one = Abra uma entrega para ver por que falhou.
failures-all-waiting = Mostrar tudo o que aguarda nova tentativa
failures-more-webhooks = Há mais webhooks: mostrar quais têm problemas
failures-retried = Mais uma tentativa está sendo feita:
