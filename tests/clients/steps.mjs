// What both clients do: connect, take each step, print what came back, close.
export async function run(client, transport, steps, callTool) {
  await client.connect(transport);
  const results = [{ era: client.getProtocolEra?.() ?? 'legacy', server: client.getServerVersion?.() }];
  for (const step of steps) {
    try {
      if (step.list) {
        results.push((await client.listTools()).tools.map((t) => t.name));
      } else {
        const progress = [];
        const options = step.progress ? { onprogress: (p) => progress.push(p.progress) } : undefined;
        const result = await callTool({ name: step.call, arguments: step.arguments }, options);
        results.push(step.progress ? { ...result, progress } : result);
      }
    } catch (error) {
      results.push({ error: { code: error.code, message: error.message } });
    }
  }
  console.log(JSON.stringify(results));
  await client.close();
  process.exit(0);
}
