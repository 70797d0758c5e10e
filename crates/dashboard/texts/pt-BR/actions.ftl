# O que as pessoas fazem com um webhook: o segredo, o que ele perdeu, o fim dele.
webhook-delete = Excluir
actions-wrong = Ainda há algo errado

secret-new = Seu novo segredo
secret-once = Copie-o agora e coloque-o no seu servidor. Ele é mostrado só desta vez e nunca mais.
secret-public-key = Chave pública
secret-public-key-help = Seu servidor faz a verificação com esta chave. Ela não é secreta.
secret-old-public-key = A chave pública antiga
secret-overlap = No momento, dois segredos funcionam
secret-old-ends-in = O segredo antigo deixa de funcionar em
secret-comes-first = Assinatura que vem primeiro
secret-first-old = A do segredo antigo. Servidores que leem uma só assinatura continuam verificando.
secret-first-new = A do novo segredo
secret-confirmed = Você confirmou que seus servidores têm o novo segredo. O antigo é excluído automaticamente quando o prazo dele terminar.
secret-step-update = Coloque o novo segredo em todos os servidores que recebem este webhook. Enquanto os dois funcionam, cada um deles verifica todas as entregas.
secret-step-test = Confira se a verificação funciona.
secret-to-test = Enviar um evento de teste
secret-step-confirm = Quando todos os seus servidores tiverem o novo segredo, confirme aqui.
secret-confirm = Meus servidores têm o novo segredo
secret-end = Encerrar o segredo antigo agora
secret-end-help = A partir daí, servidores que ainda têm o segredo antigo recusarão as entregas.
secret-unsigned = As entregas deste webhook não são assinadas; por isso, não há segredo.
secret-rotate = Trocar o segredo
secret-rotate-text = O segredo assina cada entrega, para que seu servidor saiba que ela é autêntica. Troque-o com regularidade, quando alguém que o conhecia sair da equipe, e imediatamente se ele puder ter vazado.
secret-rotate-go = Trocar o segredo
secret-set = Definir um segredo
secret-set-text = Este webhook não tem segredo; por isso, as entregas não são assinadas e seu servidor não consegue saber quem as enviou.
secret-set-go = Definir o segredo
secret-leak = Algum segredo vazou?
secret-leak-text = Mais um segredo substitui os dois imediatamente. As entregas falham até que seus servidores o tenham; as que falharam são reenviadas.
secret-leak-go = Trocar os dois segredos agora
secret-kind = O novo segredo
secret-kind-generated = Gerar um para mim
secret-kind-own = Usar o meu próprio
secret-own = Seu segredo
secret-own-help = Escolha algo longo e aleatório. Ele é guardado criptografado.
secret-own-missing = Informe seu segredo ou peça para gerar um.
secret-when = O segredo antigo
secret-when-later = continua funcionando por um tempo, para que nenhuma entrega se perca enquanto você atualiza os servidores
secret-when-lasts = Por quanto tempo os dois funcionam
secret-when-now = deixa de funcionar imediatamente, porque vazou: as entregas falham até que seus servidores tenham o novo
secret-open-already = Já há uma troca em andamento. Confirme-a ou encerre-a antes de começar outra.

recover-title = Reenviar o que foi perdido
recover-text = Reenvia tudo o que não chegou em um período: entregas que falharam de vez e eventos que vieram enquanto este webhook estava pausado, desativado ou ainda não existia. O que chegou, ou ainda está sendo tentado, fica como está.
recover-span = Qual período?
recover-since-paused = Desde que foi pausado
recover-since-disabled = Desde que foi desativado
recover-since-failing = Desde que começou a falhar
recover-last-hour = Última hora
recover-last-day = Últimas 24 horas
recover-last-week = Últimos 7 dias
recover-last-month = Últimos 30 dias
recover-own = Um período à sua escolha
recover-since = De
recover-until = Até
recover-zone-utc = Os horários estão em UTC. Sem data final, vai até agora.
recover-zone-own = Os horários estão no seu fuso. Sem data final, vai até agora.
recover-no-moment = Informe uma data e uma hora.
recover-since-missing = Informe a partir de quando.
recover-count = Contar primeiro
recover-would-send = { $count ->
    [one] { $count } entrega seria reenviada
   *[other] { $count } entregas seriam reenviadas
}
recover-would-send-more = { $count ->
    [one] { $count } entrega ou mais seria reenviada
   *[other] { $count } entregas ou mais seriam reenviadas
}
recover-failed = Entregas que falharam
recover-missed = Eventos que nunca foram enviados
recover-nothing = Nada foi perdido neste período
recover-how = Das mais antigas às mais novas e junto com os novos eventos, no ritmo que seu servidor aguenta.
recover-start = Reenviar
recover-not-active = No momento, nada é enviado a este webhook. Ative-o primeiro e depois reenvie o que ele perdeu.
recover-activate = Ativar
recover-past = Recuperações anteriores
recover-past-none = Nenhuma até agora.
recover-begun-at = Início
recover-status = Situação
recover-sent = Reenviadas

recovery-title-running = Reenviando…
recovery-title-succeeded = Tudo foi reenviado
recovery-title-failed = A recuperação foi interrompida
recovery-status-running = Em andamento
recovery-status-succeeded = Concluída
recovery-status-failed = Interrompida
recovery-counting = Contando…
recovery-done = { $done ->
    [one] { $done } entrega
   *[other] { $done } entregas
}
recovery-done-of = { $total ->
    [one] { $done } de { $total } entrega
   *[other] { $done } de { $total } entregas
}
recovery-goes-on = Ela continua sozinha; você pode sair desta página.
recovery-look-again = Ver de novo
recovery-another = Recuperar outro período
recovery-given-up-paused = O webhook foi pausado. Recupere de novo quando ele estiver ativo.
recovery-given-up-disabled = O webhook foi desativado. Recupere de novo quando ele estiver ativo.
recovery-given-up-deleted = O webhook foi excluído.

delete-title = Excluir este webhook
delete-text = Isso não pode ser desfeito.
delete-goes-secret = O segredo e as configurações dele são removidos imediatamente.
delete-goes-pending = As entregas que ainda estão sendo tentadas falham.
delete-goes-texts = O que foi enviado e respondido é removido: endereços, cabeçalhos e corpos.
delete-stays = Que houve entregas, quando e como terminaram continua listado por um tempo.
delete-rather-pause = Para interromper as entregas por um tempo, pause-o em vez de excluir.
delete-type-name = Para confirmar, digite o nome do webhook:
delete-name-differs = Esse não é o nome do webhook.
delete-go = Excluir webhook
