// The command that the conformance suite runs for each client scenario: node upstream.mjs DRIVER URL. Tells the driver in the
// tests' process (Conformance/UpstreamDriver) about the scenario's server, and ends when it has used it.
const [driver, url] = process.argv.slice(2);
const { MCP_CONFORMANCE_SCENARIO: scenario, MCP_CONFORMANCE_PROTOCOL_VERSION: version, MCP_CONFORMANCE_CONTEXT: context = 'null' } = process.env;
const answer = await fetch(driver, { method: 'POST', body: JSON.stringify({ url, scenario, version, context: JSON.parse(context) }) });
process.exit(answer.ok ? 0 : 1);
