# Un webhook.
webhook-tabs = Webhook
webhook-deliveries = Entregas
webhook-edit = Editar
webhook-secret = Secreto
webhook-recover = Recuperar
webhook-diagnose = Diagnosticar
webhook-code = Código de verificación
webhook-pause = Pausar
webhook-activate = Activar
webhook-send-test = Enviar evento de prueba

banner-disabled = Este webhook se desactivó
banner-disabled-text = Ya no se le envía nada. Corrija su servidor, envíe un evento de prueba y vuelva a activar el webhook; después recupere lo que se perdió.
banner-activate-again = Volver a activar
banner-recover = Recuperar eventos perdidos
banner-failing = { $count ->
    [one] { $count } intento ha fallado
   *[other] { $count } intentos seguidos han fallado
}
banner-failing-since = Falla desde
banner-failing-text = Abra una entrega para ver qué respondió el receptor y qué hacer. Si sigue así, el webhook se desactivará.
banner-failing-rows = Mostrar lo que espera un reintento
banner-paused = Este webhook está en pausa
banner-paused-text = No se le envían eventos nuevos. Lo que se pierda entretanto puede recuperarse después.

disabled-gone = El receptor respondió que ya no existe (estado 410).
disabled-status = { $count ->
    [one] { $count } intento falló; recibió el estado { $code }.
   *[other] { $count } intentos seguidos fallaron; el último recibió el estado { $code }.
}
disabled-cause = { $count ->
    [one] { $count } intento falló porque { $cause }.
   *[other] { $count } intentos seguidos fallaron; el último, porque { $cause }.
}
failed-by-url-refused = la URL no está permitida
failed-by-address-refused = el host tiene una dirección privada o reservada
failed-by-dns = no se encontró el nombre del host
failed-by-connect = nadie aceptó la conexión
failed-by-tls = no se logró una conexión segura
failed-by-timeout = la respuesta tardó demasiado
failed-by-bad-response = la respuesta no era HTTP válido
failed-by-connection-closed = la conexión se cerró sin respuesta
failed-by-proxy = falló el proxy de este servidor
failed-by-request-invalid = no se pudo escribir la solicitud

charts = Actividad
charts-period = Período
charts-day = 24 horas
charts-week = 7 días
charts-table = En números
charts-hour = Hora
chart-volume = Intentos
chart-failures = Fallos
chart-response-time = Tiempo de respuesta
chart-p50 = Mediana
chart-p95 = Percentil 95
chart-attempts = { $count ->
    [one] { $count } intento
   *[other] { $count } intentos
 }
chart-failed = { $count ->
    [one] { $count } falló, { $rate } con éxito
   *[other] { $count } fallaron, { $rate } con éxito
 }
chart-nothing = No se envió nada
chart-times = La mitad en { $half } o menos, el 95 % en { $most } o menos
chart-no-answers = Sin respuestas
chart-bar = { $count ->
    [one] { $count } intento, fallos: { $failed }
   *[other] { $count } intentos, fallos: { $failed }
 }
