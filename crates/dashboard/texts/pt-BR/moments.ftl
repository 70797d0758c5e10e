# Intervalos de tempo.
lasting-days = { $number ->
    [one] { $number } dia
   *[other] { $number } dias
}
lasting-hours = { $number ->
    [one] { $number } hora
   *[other] { $number } horas
}
lasting-minutes = { $number ->
    [one] { $number } minuto
   *[other] { $number } minutos
}
lasting-moment = menos de um minuto
lasting-two = { $first } e { $second }
