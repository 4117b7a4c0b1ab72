'use strict';
// A USSD centre, or a client, of node-smpp's making, driven by JSON lines: what our own SMPP is tested against.
//
// Rules of this file:
// - It decides nothing about messages: a test says what is sent, and reads what came.
// - One JSON object a line. On stdin: {"do": "listen" | "connect" | "send" | "answer" | "unbind" | "cut", ...}; on
//   stdout: {"event": "listening" | "bound" | "request" | "answered" | "response" | "closed" | "failed",
//   ...}.
// - Octets are told in hexadecimal, and ordered as {"hex": "..."}. A password is compared, and never written.
// - The end of stdin ends it.

const readline = require('readline');
const smpp = require('smpp');

const BINDS = ['bind_receiver', 'bind_transmitter', 'bind_transceiver'];
const sessions = new Set();
let messageStatus = 0;
let messages = 0;

function tell(event, fields) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + '\n');
}

function plain(value) {
  if (Buffer.isBuffer(value)) return value.toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}

function octets(name, value) {
  return value !== null && typeof value === 'object' && 'hex' in value ? Buffer.from(value.hex, 'hex') : value;
}

function fieldsOf(pdu) {
  const { password, ...rest } = pdu;
  return plain(rest);
}

function attend(session, account) {
  sessions.add(session);
  session.on('error', (error) => tell('failed', { message: String(error.message) }));
  session.on('close', () => {
    sessions.delete(session);
    tell('closed', {});
  });
  session.on('pdu', (pdu) => {
    if (pdu.isResponse()) return;
    tell('request', { pdu: fieldsOf(pdu) });
    if (BINDS.includes(pdu.command)) decide(session, pdu, account);
    else reply(session, pdu);
  });
}

function decide(session, pdu, account) {
  let status = smpp.ESME_ROK;
  if (pdu.system_id !== account.system_id) status = smpp.ESME_RINVSYSID;
  else if (pdu.password !== account.password) status = smpp.ESME_RINVPASWD;
  session.send(pdu.response({ command_status: status, system_id: 'node-smpp' }));
  if (status !== smpp.ESME_ROK) session.close();
}

function reply(session, pdu) {
  if (pdu.command === 'unbind') {
    session.send(pdu.response());
    session.close();
  } else if (pdu.command === 'submit_sm' || pdu.command === 'deliver_sm') {
    messages += 1;
    const response = pdu.response({ command_status: messageStatus, message_id: String(messages) });
    session.send(response);
    tell('answered', { pdu: fieldsOf(response) });
  } else {
    session.send(pdu.response());
  }
}

function latest() {
  const session = [...sessions].pop();
  if (session === undefined) throw new Error('no session is open');
  return session;
}

const deeds = {
  // a centre: {"host", "port", "system_id", "password"}; port 0 takes a free one
  listen(order) {
    const server = smpp.createServer((session) => attend(session, order));
    server.on('error', (error) => tell('failed', { message: String(error.message) }));
    server.listen(order.port, order.host, () => tell('listening', { port: server.address().port }));
  },

  // a client: {"host", "port", "bind": a command, "fields": its fields}
  connect(order) {
    const session = smpp.connect({ host: order.host, port: order.port }, () => {
      session[order.bind](order.fields, (pdu) => tell('bound', { status: pdu.command_status, pdu: fieldsOf(pdu) }));
    });
    attend(session, {});
  },

  // {"command", "fields", "tag"}: the response is told with the tag
  send(order) {
    latest()[order.command](order.fields, (pdu) => tell('response', { tag: order.tag, pdu: fieldsOf(pdu) }));
  },

  // {"status"}: of every submit_sm and deliver_sm from now on
  answer(order) {
    messageStatus = order.status;
  },

  unbind() {
    const session = latest();
    session.unbind(() => session.close());
  },

  cut() {
    sessions.forEach((session) => session.destroy());
  },
};

const orders = readline.createInterface({ input: process.stdin });
orders.on('line', (line) => {
  const order = JSON.parse(line, octets);
  try {
    deeds[order.do](order);
  } catch (error) {
    tell('failed', { message: `${order.do}: ${error.message}` });
  }
});
orders.on('close', () => process.exit(0));
