// An MCP server over stdio for the tests: raw JSON-RPC, so that it can misbehave. Arguments switch its vices on.
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const vices = new Set(process.argv.slice(2));
const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\n');
const text = (id, value) => say({ id, result: { content: [{ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) }] } });
const progress = (params) => JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: params._meta?.progressToken, progress: 1 } });
const answer = (id, value) => JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: value }] } });
const asked = new Map();
let busy = 0;
const of2024 = new Set([
  'initialize', 'notifications/initialized', 'ping', 'tools/list', 'tools/call', 'prompts/list', 'prompts/get', 'resources/list', 'resources/read',
  'resources/templates/list', 'resources/subscribe', 'resources/unsubscribe', 'completion/complete', 'logging/setLevel',
  'notifications/cancelled', 'notifications/progress', 'notifications/roots/list_changed',
]);
let questions = 0;
const noted = [];
let clientCapabilities;
let initialized = 0;

if (vices.has('crash') || existsSync('no-more')) process.exit(3);
if (vices.has('stubborn')) {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => {});
  setInterval(() => {}, 1000);
}
if (vices.has('crash-once')) {
  appendFileSync('starts', 'x');
  if (readFileSync('starts', 'utf8').length === 1) process.exit(4);
}

const tools = {
  echo: (id, args) => text(id, args.message),
  // As some languages write a whole number.
  spelled: (id) => process.stdout.write(`{"jsonrpc":"2.0","id":${id}.0,"result":{"content":[{"type":"text","text":"found"}]}}\n`),
  // As bridges write an id, and JSON-RPC 1.0 the member that does not apply; the token of progress is a text too.
  quoted: (id, args, params) => {
    const token = params._meta?.progressToken;
    if (token !== undefined) process.stdout.write(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"${token}","progress":1}}\n`);
    process.stdout.write(`{"jsonrpc":"2.0","id":"${id}","result":{"content":[{"type":"text","text":"found"}]},"error":null}\n`);
  },
  // A server that could not tell which request was bad.
  unnamed: () => process.stdout.write('{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"odd"}}\n'),
  seen: (id, args, params) => text(id, { id, token: params._meta?.progressToken ?? null, noted, initialized, clientCapabilities }),
  hang: () => {},
  // Into its log.
  shout: (id, args) => {
    for (let i = 0; i < (args.times ?? 1); i++) process.stderr.write(`${args.text}${args.times ? ` ${i}` : ''}\n`);
    text(id, 'shouted');
  },
  // No child starts in this directory from now on.
  'no-more': (id) => { writeFileSync('no-more', ''); text(id, 'none'); },
  // As a server that keeps its state in one file: two at once lose one.
  add: (id, args) => {
    const sum = existsSync('sum') ? Number(readFileSync('sum', 'utf8')) : 0;
    setTimeout(() => { writeFileSync('sum', String(sum + 1)); text(id, String(sum + 1)); }, 10);
  },
  exit: () => process.exit(7),
  deaf: (id) => { process.stdin.pause(); setInterval(() => {}, 1000); text(id, 'deaf'); },
  big: (id, args) => text(id, 'x'.repeat(args.bytes)),
  garbage: (id) => { process.stdout.write('not json\n{"half":\n\n[]\n{"jsonrpc":"2.0","id":99999,"result":{}}\n'); text(id, 'still here'); },
  environment: (id) => text(id, process.env),
  process: (id) => text(id, {
    pid: process.pid, uid: process.getuid(), gid: process.getgid(), groups: process.getgroups(), cwd: process.cwd(),
    status: readFileSync('/proc/self/status', 'utf8'), limits: readFileSync('/proc/self/limits', 'utf8'), stat: readFileSync('/proc/self/stat', 'utf8'),
  }),
  // What a removal meets: more levels than a path can name, no permission, no UTF-8, links, pipes, sockets, read-only files.
  litter: (id, args) => {
    const home = process.cwd();
    for (let i = 0; i < args.levels; i++) {
      mkdirSync('a-level-of-a-deep-tree');
      process.chdir('a-level-of-a-deep-tree');
    }
    writeFileSync('bottom', 'x');
    process.chdir(home);
    mkdirSync('closed/inside', { recursive: true });
    writeFileSync('closed/inside/file', 'x', { mode: 0o400 });
    chmodSync('closed/inside', 0);
    chmodSync('closed', 0);
    mkdirSync(Buffer.from([0xff, 0xfe, 0x0a]));
    writeFileSync(Buffer.from([0xff, 0x2e, 0x80]), 'x');
    symlinkSync(args.target, 'link');
    symlinkSync('/nowhere', 'dangling');
    execFileSync('mkfifo', ['pipe']);
    createServer().listen('socket', () => { if (args.close) chmodSync(home, 0); text(id, 'done'); });
  },
  // As a browser does: a Unix socket in the directory for temporary files.
  listen: (id, args) => {
    const server = createServer().on('error', (e) => text(id, e.message));
    server.listen(`${process.env.TMPDIR}/${args.name}`, () => text(id, 'listening'));
  },
  flood: (id, args, params) => {
    const padding = 'x'.repeat(args.bytes);
    if (args.after) text(id, 'flooded');
    for (let i = 0; i < args.count; i++) say({ method: args.method, params: { progressToken: params._meta?.progressToken, progress: i, padding } });
    if (!args.after) text(id, 'flooded');
  },
  // After the answer, so that no call is in flight on whose stream they could go.
  questions: (id, args) => {
    text(id, 'asked');
    for (let i = 0; i < args.count; i++) {
      asked.set(`flood-${i}`, (answer) => { if (answer.error) busy++; });
      say({ id: `flood-${i}`, method: 'sampling/createMessage', params: { padding: 'x'.repeat(args.bytes) } });
    }
    process.stdout.write('all asked\n');
  },
  refused: (id) => text(id, { busy }),
  joined: (id, args, params) => process.stdout.write(`${progress(params)}${answer(id, 'joined')}\n`),
  batch: (id, args, params) => process.stdout.write(`[${progress(params)}, ${answer(id, 'batch')}]\n`),
  'batch-with-odd-items': (id, args, params) => process.stdout.write(`[1, ${progress(params)}, {"x":1}, ${answer(id, 'batch-with-odd-items')}]\n`),
  trailing: (id, args, params) => process.stdout.write(`${progress(params)}\t${answer(id, 'trailing')} DEBUG done\n`),
  read: (id, args) => { try { text(id, readFileSync(args.path, 'utf8')); } catch (e) { text(id, e.code); } },
  // A grandchild that shares nothing with its parent but the user, and a plain one that keeps the parent's output open.
  escape: (id) => text(id, String(spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).pid)),
  offspring: (id) => text(id, String(spawn('sleep', ['600'], { stdio: 'inherit' }).pid)),
  progress: (id, args, params) => {
    for (let i = 1; i <= args.steps; i++) {
      say({ method: 'notifications/progress', params: { progressToken: params._meta?.progressToken, progress: i, total: args.steps, message: args.label } });
    }
    text(id, 'done');
  },
  ask: (id, args) => {
    const question = `question-${++questions}`;
    asked.set(question, (answer) => text(id, answer.result ?? answer.error));
    say({ id: question, method: args.method, params: args.params ?? {} });
  },
  ping: (id) => { asked.set('ping-1', (answer) => text(id, answer)); say({ id: 'ping-1', method: 'ping' }); },
  // What was done, by whoever did it: a line for each time, in one write to the end of a file that all share.
  mark: (id, args) => { appendFileSync(process.env.MARKS, `${args.id}\n`); setTimeout(() => text(id, args.id), args.wait ?? 0); },
  notify: (id, args) => { say({ method: args.method, params: args.params ?? {} }); text(id, 'told'); },
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line);
  const { id, method, params } = message;
  // A strict server of 2024-11-05 ends at whatever that version does not have.
  if (vices.has('strict-2024') && (Array.isArray(message) || !(method === undefined || of2024.has(method)))) process.exit(9);
  if (method === undefined) {
    asked.get(id)?.(message);
    asked.delete(id);
  } else if (method === 'initialize') {
    if (vices.has('silent')) return;
    if (vices.has('refuses')) return say({ id, error: { code: -32000, message: 'secret-that-was-printed' } });
    if (vices.has('no-object')) return say({ id, result: ['secret-that-was-printed'] });
    if (vices.has('refuses-versions') && params.protocolVersion !== '2024-11-05') {
      return say({ id, error: { code: -32602, message: 'Unsupported protocol version', data: { supported: ['2024-11-05', '2024-10-07'], requested: params.protocolVersion } } });
    }
    if (vices.has('refuses-silently') && params.protocolVersion !== '2024-11-05') {
      return say({ id, error: { code: -32602, message: 'Invalid params' } });
    }
    initialized++;
    clientCapabilities = params.capabilities;
    say({ id, result: {
      protocolVersion: vices.has('old') ? '2024-10-07' : vices.has('future') ? '2099-01-01' : vices.has('odd-version') ? 'secret-that-was-printed' : vices.has('strict-2024') ? '2024-11-05' : params.protocolVersion,
      capabilities: { tools: { listChanged: true }, resources: { subscribe: true }, logging: {} },
      serverInfo: { name: 'weir-fixture', version: '1.0.0' }, instructions: `for ${params.clientInfo.name}`,
    } });
  } else if (method === 'ping') {
    if (!vices.has('no-ping')) say({ id, result: {} });
  } else if (method === 'tools/list') {
    if (vices.has('slow-list')) return;
    if (vices.has('no-list')) return say({ id, error: { code: -32000, message: 'secret-that-was-printed' } });
    say({ id, result: { tools: Object.keys(tools).map((name) => ({ name, inputSchema: { type: 'object' } })) } });
  } else if (method === 'tools/call' && tools[params.name]) {
    tools[params.name](id, params.arguments ?? {}, params);
  } else if (method === 'resources/subscribe' || method === 'resources/unsubscribe') {
    noted.push(`${method} ${params.uri}`);
    say({ id, result: {} });
  } else if (method === 'notifications/cancelled') {
    noted.push(params.requestId);
  } else if (id !== undefined) {
    say({ id, error: { code: -32601, message: `no ${method}` } });
  }
});
