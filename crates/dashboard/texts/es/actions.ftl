# Lo que se hace con un webhook: su secreto, lo que se perdió, su final.
webhook-delete = Eliminar
actions-wrong = Todavía hay algo incorrecto

secret-new = Su nuevo secreto
secret-once = Cópielo ahora y póngalo en su servidor. Se muestra solo esta vez y nunca más.
secret-public-key = Clave pública
secret-public-key-help = Su servidor verifica con esta clave. No es secreta.
secret-old-public-key = La clave pública anterior
secret-overlap = En este momento funcionan dos secretos
secret-old-ends-in = El secreto anterior deja de funcionar en
secret-comes-first = Firma que va primero
secret-first-old = La del secreto anterior. Los servidores que leen una sola firma siguen verificando.
secret-first-new = La del nuevo secreto
secret-confirmed = Confirmó que sus servidores tienen el nuevo secreto. El anterior se elimina automáticamente cuando termine su plazo.
secret-step-update = Ponga el nuevo secreto en todos los servidores que reciben este webhook. Mientras funcionan los dos, cada uno de ellos verifica todas las entregas.
secret-step-test = Compruebe que la verificación funciona.
secret-to-test = Enviar un evento de prueba
secret-step-confirm = Cuando todos sus servidores tengan el nuevo secreto, confírmelo aquí.
secret-confirm = Mis servidores tienen el nuevo secreto
secret-end = Anular ya el secreto anterior
secret-end-help = A partir de entonces, los servidores que aún tengan el secreto anterior rechazarán las entregas.
secret-unsigned = Las entregas de este webhook no se firman; por eso no hay secreto.
secret-rotate = Cambiar el secreto
secret-rotate-text = El secreto firma cada entrega, para que su servidor sepa que es auténtica. Cámbielo con regularidad, cuando se vaya alguien que lo conocía, y de inmediato si pudo haberse filtrado.
secret-rotate-go = Cambiar el secreto
secret-set = Establecer un secreto
secret-set-text = Este webhook no tiene secreto; por eso sus entregas no se firman y su servidor no puede saber quién las envió.
secret-set-go = Establecer el secreto
secret-leak = ¿Se filtró algún secreto?
secret-leak-text = Otro secreto sustituye a los dos de inmediato. Las entregas fallan hasta que sus servidores lo tengan; las fallidas se envían de nuevo.
secret-leak-go = Cambiar ya los dos secretos
secret-kind = El nuevo secreto
secret-kind-generated = Generar uno para mí
secret-kind-own = Usar el mío
secret-own = Su secreto
secret-own-help = Elija algo largo y aleatorio. Se guarda cifrado.
secret-own-missing = Escriba su secreto o haga que se genere uno.
secret-when = El secreto anterior
secret-when-later = sigue funcionando un tiempo, para que no se pierda ninguna entrega mientras actualiza sus servidores
secret-when-lasts = Cuánto tiempo funcionan los dos
secret-when-now = deja de funcionar de inmediato, porque se filtró: las entregas fallan hasta que sus servidores tengan el nuevo
secret-open-already = Ya hay un cambio en curso. Confírmelo o anule el secreto anterior antes de empezar otro.

recover-title = Enviar de nuevo lo que se perdió
recover-text = Envía de nuevo todo lo que no llegó en un período: entregas que fallaron definitivamente y eventos que ocurrieron mientras este webhook estaba en pausa, desactivado o aún no existía. Lo que llegó, o todavía se está intentando, se deja como está.
recover-span = ¿Qué período?
recover-since-paused = Desde que se puso en pausa
recover-since-disabled = Desde que se desactivó
recover-since-failing = Desde que empezó a fallar
recover-last-hour = La última hora
recover-last-day = Las últimas 24 horas
recover-last-week = Los últimos 7 días
recover-last-month = Los últimos 30 días
recover-own = Un período a su elección
recover-since = Desde
recover-until = Hasta
recover-zone-utc = Las horas están en UTC. Sin fecha final, llega hasta ahora.
recover-zone-own = Las horas están en su zona horaria. Sin fecha final, llega hasta ahora.
recover-no-moment = Indique una fecha y una hora.
recover-since-missing = Indique desde cuándo.
recover-count = Contar primero
recover-would-send = { $count ->
    [one] Se enviaría de nuevo 1 entrega
   *[other] Se enviarían de nuevo { $count } entregas
}
recover-would-send-more = { $count ->
    [one] Se enviaría de nuevo 1 entrega o más
   *[other] Se enviarían de nuevo { $count } entregas o más
}
recover-failed = Entregas fallidas
recover-missed = Eventos que nunca se enviaron
recover-nothing = No se perdió nada en este período
recover-how = De las más antiguas a las más recientes y junto a los eventos nuevos, al ritmo que su servidor admite.
recover-start = Enviar de nuevo
recover-not-active = En este momento no se envía nada a este webhook. Actívelo primero y después envíe de nuevo lo que se perdió.
recover-activate = Activar
recover-past = Recuperaciones anteriores
recover-past-none = Ninguna hasta ahora.
recover-begun-at = Inicio
recover-status = Estado
recover-sent = Enviadas de nuevo

recovery-title-running = Enviando de nuevo…
recovery-title-succeeded = Se envió todo de nuevo
recovery-title-failed = La recuperación se interrumpió
recovery-status-running = En curso
recovery-status-succeeded = Terminada
recovery-status-failed = Interrumpida
recovery-counting = Contando…
recovery-done = { $done ->
    [one] 1 entrega
   *[other] { $done } entregas
}
recovery-done-of = { $total ->
    [one] { $done } de 1 entrega
   *[other] { $done } de { $total } entregas
}
recovery-goes-on = Continúa por sí sola; puede salir de esta página.
recovery-look-again = Mirar de nuevo
recovery-another = Recuperar otro período
recovery-given-up-paused = El webhook se puso en pausa. Recupere de nuevo cuando esté activo.
recovery-given-up-disabled = El webhook se desactivó. Recupere de nuevo cuando esté activo.
recovery-given-up-deleted = El webhook se eliminó.

delete-title = Eliminar este webhook
delete-text = No se puede deshacer.
delete-goes-secret = Su secreto y sus ajustes se eliminan de inmediato.
delete-goes-pending = Las entregas que aún se están intentando fallan.
delete-goes-texts = Lo que se envió y se respondió se elimina: direcciones, encabezados y cuerpos.
delete-stays = Que hubo entregas, cuándo y cómo terminaron sigue en la lista por un tiempo.
delete-rather-pause = Para detener las entregas por un tiempo, póngalo en pausa.
delete-type-name = Para confirmar, escriba el nombre del webhook:
delete-name-differs = Ese no es el nombre del webhook.
delete-go = Eliminar webhook
