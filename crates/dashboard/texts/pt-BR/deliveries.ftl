# O que foi enviado a um webhook.
status-pending = Pendente
status-succeeded = Entregue
status-failed = Falhou

deliveries-kind = O que é mostrado
deliveries-events = Eventos
deliveries-tests = Testes
deliveries-search = Buscar
deliveries-search-hint = ID, URL ou texto do erro
deliveries-status = Situação
deliveries-type = Tipo de evento
deliveries-record = Registro
deliveries-span = Período
deliveries-any = Qualquer
deliveries-exact = Horários exatos
deliveries-since = De
deliveries-until = Até
deliveries-filter = Filtrar
deliveries-clear = Limpar filtros
span-last-hour = Última hora
span-last-day = Últimas 24 horas
span-last-week = Últimos 7 dias
span-last-month = Últimos 30 dias

deliveries-wrong = Não é possível buscar isso:
deliveries-wrong-search = Busque no máximo 200 caracteres, sem caracteres de controle.
deliveries-wrong-record = Indique um registro pelo tipo e pelo ID separados por dois-pontos, como deal:42.
deliveries-wrong-moment = Informe uma data e uma hora.
deliveries-wrong-order = O fim deve ser depois do início.

deliveries-none = Nada foi enviado ainda. Assim que acontecer um evento que este webhook assina, a entrega aparecerá aqui sozinha.
deliveries-no-tests = Nenhum evento de teste foi enviado ainda.
deliveries-none-such = Nenhuma entrega corresponde a estes filtros.
deliveries-none-here = Nada encontrado entre as entregas mais recentes. As mais antigas ainda não foram examinadas.

deliveries-event = Evento
deliveries-created = Horário
deliveries-attempts = Tentativas
deliveries-answer = Última resposta
deliveries-next = Próxima tentativa
deliveries-no-answer = Sem resposta
fail-reason-exhausted = Sem mais tentativas
fail-reason-gone = O receptor não existe mais (410)
fail-reason-expired = O evento não é mais guardado
fail-reason-endpoint_deleted = O webhook foi excluído
fail-reason-erased = O evento foi apagado

live-hold = Pausar atualizações
live-go-on = Retomar atualizações
