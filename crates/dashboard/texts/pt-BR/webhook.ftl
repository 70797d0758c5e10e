# Um webhook.
webhook-tabs = Webhook
webhook-deliveries = Entregas
webhook-edit = Editar
webhook-secret = Segredo
webhook-recover = Recuperar
webhook-diagnose = Diagnosticar
webhook-code = Código de verificação
webhook-pause = Pausar
webhook-activate = Ativar
webhook-send-test = Enviar evento de teste

banner-disabled = Este webhook foi desativado
banner-disabled-text = Nada mais é enviado a ele. Corrija seu servidor, envie um evento de teste e ative o webhook de novo; depois recupere o que ele perdeu.
banner-activate-again = Ativar de novo
banner-recover = Recuperar eventos perdidos
banner-failing = { $count ->
    [one] { $count } tentativa falhou
   *[other] { $count } tentativas seguidas falharam
}
banner-failing-since = Ele vem falhando desde
banner-failing-text = Abra uma entrega para ver o que o receptor respondeu e o que fazer. Se continuar assim, o webhook será desativado.
banner-failing-rows = Mostrar o que aguarda nova tentativa
banner-paused = Este webhook está pausado
banner-paused-text = Novos eventos não são enviados a ele. O que ele perder nesse meio-tempo pode ser recuperado depois.

disabled-gone = O receptor respondeu que deixou de existir definitivamente (status 410).
disabled-status = { $count ->
    [one] { $count } tentativa falhou; ela recebeu o status { $code }.
   *[other] { $count } tentativas seguidas falharam; a última recebeu o status { $code }.
}
disabled-cause = { $count ->
    [one] { $count } tentativa falhou porque { $cause }.
   *[other] { $count } tentativas seguidas falharam; a última, porque { $cause }.
}
failed-by-url-refused = a URL não é permitida
failed-by-address-refused = o host tem um endereço privado ou reservado
failed-by-dns = o nome do host não foi encontrado
failed-by-connect = ninguém aceitou a conexão
failed-by-tls = não foi possível uma conexão segura
failed-by-timeout = a resposta demorou demais
failed-by-bad-response = a resposta não era HTTP válido
failed-by-connection-closed = a conexão foi fechada sem resposta
failed-by-proxy = o proxy deste servidor falhou
failed-by-request-invalid = não foi possível montar a requisição

charts = Atividade
charts-period = Período
charts-day = 24 horas
charts-week = 7 dias
charts-table = Em números
charts-hour = Hora
chart-volume = Tentativas
chart-failures = Falhas
chart-response-time = Tempo de resposta
chart-p50 = Mediana
chart-p95 = Percentil 95
chart-attempts = { $count ->
    [one] { $count } tentativa
   *[other] { $count } tentativas
 }
chart-failed = { $count ->
    [one] { $count } falhou, { $rate } com sucesso
   *[other] { $count } falharam, { $rate } com sucesso
 }
chart-nothing = Nada foi enviado
chart-times = Metade em até { $half }, 95% em até { $most }
chart-no-answers = Sem respostas
chart-bar = { $count ->
    [one] { $count } tentativa, falhas: { $failed }
   *[other] { $count } tentativas, falhas: { $failed }
 }
