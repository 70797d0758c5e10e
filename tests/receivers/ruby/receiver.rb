# frozen_string_literal: true

# A receiver that checks signatures as the suresend document says, for the black-box tests.
#
# Every request is verified twice: as it came, which must be accepted, and with one bit of its body flipped, which must be refused. The
# answer is 200 when both came out right, 401 when the first was refused, and 500 with the reason otherwise. On stdin come lines
# {"path", "secret"}, each answered by `ready PATH`; the end of stdin ends the process.

require 'json'
require 'openssl'
require 'rack'
require 'rack/handler/webrick'
require 'webrick'

SECRETS = {} # path => secret; written by one thread, read by the others

# HMAC-SHA256 of the body in hex under the secret's text, compared in constant time.
def suresend_accepts?(body, signature, secret)
  expected = OpenSSL::HMAC.hexdigest('SHA256', secret, body)
  Rack::Utils.secure_compare(expected, signature)
end

# One bit of an ASCII byte, so that what remains is UTF-8 and nothing but the signature can refuse it.
def flipped(body)
  bytes = body.bytes
  at = (bytes.length / 2...bytes.length).find { |index| bytes[index] < 0x80 }
  bytes[at] ^= 1
  bytes.pack('C*')
end

def judge(request)
  secret = SECRETS[request.path]
  return [500, 'no secret is set for this path'] if secret.nil?

  body = request.body.read
  signature = request.get_header('HTTP_X_WEBHOOK_SIGNATURE').to_s
  return [401, 'Invalid signature'] unless suresend_accepts?(body, signature, secret)
  return [500, 'a request with one flipped bit was accepted'] if suresend_accepts?(flipped(body), signature, secret)

  [200, 'OK']
end

app = lambda do |env|
  status, text = judge(Rack::Request.new(env))
  [status, { 'Content-Type' => 'text/plain' }, [text]]
end

$stdout.sync = true
server = WEBrick::HTTPServer.new(
  BindAddress: '127.0.0.1', Port: 0, AccessLog: [], Logger: WEBrick::Log.new(File::NULL), MaxClients: 200
)
server.mount('/', Rack::Handler::WEBrick, app)
puts "listening on http://127.0.0.1:#{server.listeners.first.addr[1]}"

Thread.new do
  $stdin.each_line do |line|
    order = JSON.parse(line)
    SECRETS[order['path']] = order['secret']
    puts "ready #{order['path']}"
  end
  exit!(0)
end
server.start
