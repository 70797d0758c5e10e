# Lo que los dueños de los webhooks reciben por correo. Todos los idiomas tienen los mismos mensajes.

subject-failing = El webhook «{ $name }» sigue fallando
subject-disabled = El webhook «{ $name }» fue desactivado
subject-gone = El webhook «{ $name }» fue desactivado: su dirección ya no existe

what-failing = Su webhook «{ $name }» de { $organization } ha fallado { $failures ->
    [one] { $failures } vez
   *[other] { $failures } veces
} seguidas desde { $since }.
what-disabled = Su webhook «{ $name }» de { $organization } ha fallado { $failures ->
    [one] { $failures } vez
   *[other] { $failures } veces
} seguidas desde { $since } y por eso fue desactivado.
what-gone = El receptor de su webhook «{ $name }» de { $organization } respondió el { $since } que ya no existe (410 Gone); por eso el webhook fue desactivado.

address = Su dirección: { $url }

latest-status = El último intento recibió como respuesta el estado HTTP { $status }.
latest-failure = El último intento falló: { $reason }.

then-failing = Después de { $max } fallos seguidos será desactivado. Hasta ahora no se ha perdido nada: lo que falló se intenta de nuevo.
then-disabled = No se le envían eventos nuevos. Lo que estaba pendiente se conserva.

do-failing = Revise el receptor: el historial de entregas del webhook muestra cada solicitud con su respuesta.
do-disabled = Corrija el receptor y vuelva a activar el webhook en su página o por la API; lo que estaba pendiente sale entonces, despacio al principio. El historial de entregas muestra cada solicitud con su respuesta.

why = Recibe este mensaje porque su dirección es la del responsable de { $organization }.

reason-url_refused = su URL no cumple las reglas
reason-address_refused = su nombre lleva a una dirección que no se puede usar
reason-dns = su nombre no se pudo resolver
reason-connect = no se pudo conectar
reason-tls = no se pudo abrir una conexión segura; revise su certificado
reason-timeout = no respondió a tiempo
reason-bad_response = lo que respondió no es HTTP válido
reason-connection_closed = cerró la conexión sin responder
reason-proxy = el proxy del servidor de envío falló
reason-status = su respuesta no cuenta como éxito
reason-request_invalid = la solicitud no se pudo hacer; revise sus encabezados personalizados y su secreto
