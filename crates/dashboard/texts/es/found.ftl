# Lo que encontró un diagnóstico, por su código.
found-at = { $address }: { $text }
found-endpoint-status-active = El webhook está activo.
found-endpoint-status-paused = El webhook está en pausa: no se le envían eventos nuevos.
found-endpoint-status-gone = El webhook se desactivó: su servidor respondió que ya no existe (estado 410).
found-endpoint-status-consecutive-failures = El webhook se desactivó. { $why }
found-endpoint-status-disabled = El webhook se desactivó.
found-url-allowed = Se pueden enviar eventos a { $origin }.
found-dns-found = { $count ->
    [one] { $host } tiene { $count } dirección.
   *[other] { $host } tiene { $count } direcciones.
}
found-dns-literal = La URL ya contiene una dirección; no hay ningún nombre que resolver.
found-address-allowed = { $address }: se puede usar
found-tcp-connected = { $count ->
    [one] La dirección aceptó la conexión.
   *[other] Las { $count } direcciones aceptaron la conexión.
}
found-tcp-partly = { $count ->
    [one] { $failed } de { $count } dirección no aceptó la conexión.
   *[other] { $failed } de { $count } direcciones no aceptaron la conexión.
}
found-connection-made = { $address }: conectado en { $took_ms }
found-tls-trusted = La conexión está cifrada y es de confianza ({ $version }).
found-tls-partly = { $count ->
    [one] { $failed } de { $count } dirección no tiene una conexión de confianza.
   *[other] { $failed } de { $count } direcciones no tienen una conexión de confianza.
}
found-tls-none = La URL empieza por http://; nada va cifrado.
found-session-made = { $address }: { $version }
found-certificate-current = { $days ->
    [one] Para { $names }. Válido del { $from } al { $until }; vence en { $days } día.
   *[other] Para { $names }. Válido del { $from } al { $until }; vence en { $days } días.
}
found-certificate-over = Para { $names }. Era válido del { $from } al { $until } y ya venció.
found-certificate-issued = { $subject }, emitido por { $issuer }
found-probe-answered = Su servidor respondió { $status_code } a un evento de prueba.
found-probe-delivered = Se entregó un evento de prueba.
found-response-time-taken = La respuesta tardó { $took_ms }; el límite es de { $allowed_ms }.
found-redirect-none = Su servidor responde él mismo y no redirige.
found-redirect-target = Su servidor redirige a { $target }
found-redirect-nowhere = Su servidor redirige, pero no dice adónde.
found-signature-refused = Su servidor respondió { $status_code }: rechazó la firma o exige una credencial.
found-signature-taken = Su servidor aceptó el evento de prueba firmado.
found-signature-taken-swapped = Su servidor aceptó el evento de prueba con el otro de los dos secretos que funcionan en este momento.
found-signature-missing = El evento de prueba no se firmó, porque el webhook no tiene secreto: su servidor no puede saber quién lo envió.
found-skipped-url-refused = La URL se rechaza.
found-skipped-no-address = No hay ninguna dirección a la que conectarse.
found-skipped-no-connection = No hay conexión.
found-skipped-no-https = Sin https no hay certificado.
found-skipped-no-certificate = Su servidor no mostró ningún certificado que se pueda leer.
found-skipped-not-sent = No se envió nada, porque no podía llegar.
found-skipped-no-answer = No hubo respuesta.
found-skipped-not-told = La respuesta { $status_code } no permite saberlo.
found-skipped-unsigned = Aquí las solicitudes no se firman.
