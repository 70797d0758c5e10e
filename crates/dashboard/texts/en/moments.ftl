# Spans of time.
lasting-days = { $number ->
    [one] 1 day
   *[other] { $number } days
}
lasting-hours = { $number ->
    [one] 1 hour
   *[other] { $number } hours
}
lasting-minutes = { $number ->
    [one] 1 minute
   *[other] { $number } minutes
}
lasting-moment = less than a minute
lasting-two = { $first } and { $second }
