'use strict';
// A receiver that checks signatures as its makers' documents say, for the black-box tests.
//
// Every request is verified twice: as it came, which must be accepted, and with one bit of its body flipped, which must be refused. The
// answer is 200 when both came out right, 401 when the first was refused, as the documents' samples answer, and 500 with the reason otherwise. On stdin come lines {"path", "secret"}, each answered by
// `ready PATH`; the end of stdin ends the process.

const crypto = require('node:crypto');
const readline = require('node:readline');
const express = require('express');
const { Webhook } = require('standardwebhooks');

const BODY_BYTES_MAX = 1024 * 1024;
const secrets = new Map();

// The sendpilot document: the first `t=` and the first `s=` of `Webhook-Signature`; HMAC-SHA256 of `<t>.<body>` in hex, compared in constant time.
function sendpilotAccepts(body, headers, secret) {
  const parts = headers['webhook-signature'].split(',');
  const first = (name) => parts.find((part) => part.startsWith(`${name}=`)).slice(name.length + 1);
  const given = Buffer.from(first('s'));
  const expected = Buffer.from(crypto.createHmac('sha256', secret).update(`${first('t')}.${body}`).digest('hex'));
  return given.length === expected.length && crypto.timingSafeEqual(given, expected);
}

// The public library of Standard Webhooks; it throws when it refuses.
function standardAccepts(body, headers, secret) {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

// One bit of an ASCII byte, so that what remains is UTF-8 and nothing but the signature can refuse it.
function flipped(body) {
  const copy = Buffer.from(body);
  const middle = Math.floor(copy.length / 2);
  const offset = copy.subarray(middle).findIndex((byte) => byte < 0x80);
  copy[middle + offset] ^= 1;
  return copy;
}

function judge(accepts) {
  return (request, response) => {
    const secret = secrets.get(request.path);
    let problem = null;
    if (secret !== undefined && !accepts(request.body, request.headers, secret)) {
      response.status(401).send('Invalid signature');
      return;
    }
    if (secret === undefined) problem = 'no secret is set for this path';
    else if (accepts(flipped(request.body), request.headers, secret)) problem = 'a request with one flipped bit was accepted';
    response.status(problem === null ? 200 : 500).send(problem ?? 'OK');
  };
}

const app = express();
app.use(express.raw({ type: 'application/json', limit: BODY_BYTES_MAX }));
app.post('/sendpilot', judge(sendpilotAccepts));
app.post('/standard', judge(standardAccepts));

const server = app.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
readline
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { path, secret } = JSON.parse(line);
    secrets.set(path, secret);
    console.log(`ready ${path}`);
  })
  .on('close', () => process.exit(0));
