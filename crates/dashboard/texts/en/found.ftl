# What a diagnosis found, by its code.
found-at = { $address }: { $text }
found-endpoint-status-active = The webhook is active.
found-endpoint-status-paused = The webhook is paused: no new events are sent to it.
found-endpoint-status-gone = The webhook was disabled: your server answered that it is gone for good (status 410).
found-endpoint-status-consecutive-failures = The webhook was disabled. { $why }
found-endpoint-status-disabled = The webhook was disabled.
found-url-allowed = Events may be sent to { $origin }.
found-dns-found = { $count ->
    [one] { $host } has { $count } address.
   *[other] { $host } has { $count } addresses.
}
found-dns-literal = The URL holds an address, so there is no name to look up.
found-address-allowed = { $address }: may be called
found-tcp-connected = { $count ->
    [one] The address accepted the connection.
   *[other] All { $count } addresses accepted the connection.
}
found-tcp-partly = { $count ->
    [one] { $failed } of { $count } address did not accept the connection.
   *[other] { $failed } of { $count } addresses did not accept the connection.
}
found-connection-made = { $address }: connected in { $took_ms }
found-tls-trusted = The connection is encrypted and trusted ({ $version }).
found-tls-partly = { $count ->
    [one] { $failed } of { $count } address has no trusted connection.
   *[other] { $failed } of { $count } addresses have no trusted connection.
}
found-tls-none = The URL begins with http://, so nothing is encrypted.
found-session-made = { $address }: { $version }
found-certificate-current = { $days ->
    [one] For { $names }. Valid from { $from } until { $until }, for { $days } more day.
   *[other] For { $names }. Valid from { $from } until { $until }, for { $days } more days.
}
found-certificate-over = For { $names }. It was valid from { $from } until { $until }, and has expired.
found-certificate-issued = { $subject }, issued by { $issuer }
found-probe-answered = Your server answered a test event with { $status_code }.
found-probe-delivered = A test event was delivered.
found-response-time-taken = The answer took { $took_ms }; { $allowed_ms } are allowed.
found-redirect-none = Your server answers itself and redirects nowhere.
found-redirect-target = Your server redirects to { $target }
found-redirect-nowhere = Your server redirects and does not say where to.
found-signature-refused = Your server answered { $status_code }: it refused the signature, or wants a credential.
found-signature-taken = Your server accepted the signed test event.
found-signature-taken-swapped = Your server accepted the test event with the other of the two secrets that work at the moment.
found-signature-missing = The test event was not signed, since the webhook has no secret: your server cannot tell who sent it.
found-skipped-url-refused = The URL is refused.
found-skipped-no-address = There is no address to connect to.
found-skipped-no-connection = There is no connection.
found-skipped-no-https = Without https there is no certificate.
found-skipped-no-certificate = Your server showed no certificate that can be read.
found-skipped-not-sent = Nothing was sent, since it could not arrive.
found-skipped-no-answer = There was no answer.
found-skipped-not-told = The answer { $status_code } does not tell.
found-skipped-unsigned = Requests are not signed here.
