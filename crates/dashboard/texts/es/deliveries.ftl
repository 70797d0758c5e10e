# Lo que se envió a un webhook.
status-pending = Pendiente
status-succeeded = Entregado
status-failed = Fallido

deliveries-kind = Qué se muestra
deliveries-events = Eventos
deliveries-tests = Pruebas
deliveries-search = Buscar
deliveries-search-hint = ID, URL o texto del error
deliveries-status = Estado
deliveries-type = Tipo de evento
deliveries-record = Registro
deliveries-span = Período
deliveries-any = Cualquiera
deliveries-exact = Horas exactas
deliveries-since = Desde
deliveries-until = Hasta
deliveries-filter = Filtrar
deliveries-clear = Quitar filtros
span-last-hour = Última hora
span-last-day = Últimas 24 horas
span-last-week = Últimos 7 días
span-last-month = Últimos 30 días

deliveries-wrong = Eso no se puede buscar:
deliveries-wrong-search = Busque como máximo 200 caracteres, sin caracteres de control.
deliveries-wrong-record = Indique un registro con su tipo y su ID separados por dos puntos, como deal:42.
deliveries-wrong-moment = Indique una fecha y una hora.
deliveries-wrong-order = El final debe ser posterior al comienzo.

deliveries-none = Todavía no se ha enviado nada. En cuanto ocurra un evento al que este webhook está suscrito, su entrega aparecerá aquí por sí sola.
deliveries-no-tests = Todavía no se ha enviado ningún evento de prueba.
deliveries-none-such = Ninguna entrega coincide con estos filtros.
deliveries-none-here = No se encontró nada entre las entregas más recientes. Las más antiguas aún no se han examinado.

deliveries-event = Evento
deliveries-created = Hora
deliveries-attempts = Intentos
deliveries-answer = Última respuesta
deliveries-next = Próximo intento
deliveries-no-answer = Sin respuesta
fail-reason-exhausted = Sin más intentos
fail-reason-gone = El receptor ya no existe (410)
fail-reason-expired = Su evento ya no se conserva
fail-reason-endpoint_deleted = Su webhook se eliminó
fail-reason-erased = Su evento se borró

live-hold = Pausar actualizaciones
live-go-on = Reanudar actualizaciones
