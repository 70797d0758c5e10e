# Intervalos de tiempo.
lasting-days = { $number ->
    [one] 1 día
   *[other] { $number } días
}
lasting-hours = { $number ->
    [one] 1 hora
   *[other] { $number } horas
}
lasting-minutes = { $number ->
    [one] 1 minuto
   *[other] { $number } minutos
}
lasting-moment = menos de un minuto
lasting-two = { $first } y { $second }
