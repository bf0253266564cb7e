// What both clients do: connect, take each step, print what came back, close.
// A step is an object whose first key says what to do:
//   {"list": true}                                   names of tools
//   {"call": NAME, "arguments": {…}, "progress": true, "meta": {…}}
//   {"resources": true}  {"templates": true}  {"prompts": true}
//   {"read": URI}  {"prompt": NAME, "arguments": {…}}  {"complete": {"ref": {…}, "argument": {…}}}
//   {"level": "info"}                                legacy only; a modern client says it per request, in "meta"
//   {"subscribe": URI}  {"unsubscribe": URI}         modern: opens, or closes, subscriptions/listen for it and for changed lists
//   {"await": METHOD}                                the first notification of that method that no step has taken yet
//   {"asked": true}                                  the methods of the requests that the server made so far
const PATIENCE = 5_000;

/** Answers to what a server asks: a form is filled with its defaults, or with the field's own name. */
const answers = {
  'elicitation/create': ({ params }) => ({
    action: 'accept',
    content: params.mode === 'url' ? undefined : Object.fromEntries(Object.entries(params.requestedSchema.properties).map(([name, property]) => [name, property.default ?? sample(name, property)])),
  }),
  'sampling/createMessage': () => ({ role: 'assistant', model: 'test-model', content: { type: 'text', text: 'a sampled answer' }, stopReason: 'endTurn' }),
  'roots/list': () => ({ roots: [{ uri: 'file:///test/root', name: 'Test Root' }] }),
};

function sample(name, property) {
  const of = property.enum ?? property.oneOf?.map((o) => o.const) ?? property.items?.enum ?? property.items?.anyOf?.map((o) => o.const);
  return property.type === 'array' ? [of[0]] : of ? of[0] : property.type === 'boolean' ? true : property.type === 'string' ? name : 1;
}

export const capabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

export function on(client, setRequestHandler) {
  const inbox = { asked: [], received: [], waiting: [] };
  for (const [method, answer] of Object.entries(answers)) {
    setRequestHandler(method, (request) => {
      inbox.asked.push(method);
      return answer(request);
    });
  }
  inbox.deliver = (notification) => {
    inbox.received.push(notification);
    inbox.waiting.splice(0).forEach((look) => look());
  };
  client.fallbackNotificationHandler = async (notification) => inbox.deliver(notification);
  return inbox;
}

async function next(inbox, method) {
  const deadline = Date.now() + PATIENCE;
  while (true) {
    const index = inbox.received.findIndex((n) => n.method === method);
    if (index >= 0) return inbox.received.splice(index, 1)[0].params ?? {};
    if (Date.now() >= deadline) throw new Error(`no ${method} came`);
    await new Promise((resolve) => {
      inbox.waiting.push(resolve);
      setTimeout(resolve, deadline - Date.now()).unref();
    });
  }
}

async function call({ callTool }, step) {
  const progress = [];
  // The newest client also counts the rounds in which it was asked for input, here and not at the server.
  const options = step.progress ? { onprogress: (p) => p.message?.startsWith('Fulfilling input') || progress.push(p.progress) } : undefined;
  const result = await callTool({ name: step.call, arguments: step.arguments, ...(step.meta ? { _meta: step.meta } : {}) }, options);
  return step.progress ? { ...result, progress } : result;
}

const kinds = {
  list: async ({ client }) => (await client.listTools()).tools.map((t) => t.name),
  call,
  resources: async ({ client }) => (await client.listResources()).resources.map((r) => r.uri),
  templates: async ({ client }) => (await client.listResourceTemplates()).resourceTemplates.map((t) => t.uriTemplate),
  prompts: async ({ client }) => (await client.listPrompts()).prompts.map((p) => p.name),
  read: async ({ client }, step) => (await client.readResource({ uri: step.read })).contents,
  prompt: async ({ client }, step) => (await client.getPrompt({ name: step.prompt, arguments: step.arguments })).messages,
  complete: async ({ client }, step) => (await client.complete(step.complete)).completion.values,
  level: async ({ client }, step) => client.setLoggingLevel(step.level),
  subscribe: async ({ subscribe }, step) => subscribe(step.subscribe),
  unsubscribe: async ({ unsubscribe }, step) => unsubscribe(step.unsubscribe),
  await: async ({ inbox }, step) => next(inbox, step.await),
  asked: async ({ inbox }) => inbox.asked,
};

/** peer: {client, inbox, callTool, subscribe, unsubscribe} */
export async function run(peer, transport, steps) {
  const { client } = peer;
  await client.connect(transport);
  const results = [{ era: client.getProtocolEra?.() ?? 'legacy', server: client.getServerVersion?.() }];
  for (const step of steps) {
    try {
      results.push((await kinds[Object.keys(step)[0]](peer, step)) ?? {});
    } catch (error) {
      results.push({ error: { code: error.code, message: error.message } });
    }
  }
  console.log(JSON.stringify(results));
  await client.close();
  process.exit(0);
}
