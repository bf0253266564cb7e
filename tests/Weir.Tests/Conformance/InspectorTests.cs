using System.Diagnostics;
using System.Text.Json;
using Weir.Tests.Fixtures.Conformance;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Conformance;

/// <summary>The inspector's command line, unmodified, at <c>/mcp/{instance}</c>.</summary>
public sealed class InspectorTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);

    [Theory]
    [InlineData("legacy")]
    [InlineData("modern")]
    public async Task The_inspector_fails_only_the_listed_commands(string era)
    {
        await using var server = await ConformanceServer.StartAsync(ServerEras.Dual);
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}, "resources": ["*"], "prompts": ["*"]}""");
        var url = new Uri(weir.Url, "/mcp/" + name);
        var results = await Task.WhenAll(
            RunAsync(url, era, "tools-list", "test_simple_text", "--method", "tools/list"),
            RunAsync(url, era, "tools-call", "This is a simple text response", "--method", "tools/call", "--tool-name", "test_simple_text"),
            RunAsync(url, era, "resources-list", "test://static-text", "--method", "resources/list"),
            RunAsync(url, era, "resources-read", "This is the content of", "--method", "resources/read", "--uri", "test://static-text"),
            RunAsync(url, era, "templates-list", "test://template/{id}/data", "--method", "resources/templates/list"),
            RunAsync(url, era, "prompts-list", "test_simple_prompt", "--method", "prompts/list"),
            RunAsync(url, era, "prompts-get", "This is a simple prompt", "--method", "prompts/get", "--prompt-name", "test_simple_prompt"));
        ExpectedFailures.Of($"inspector-{era}").Check(results);
    }

    private async Task<ScenarioResult> RunAsync(Uri url, string era, string name, string expected, params string[] command)
    {
        var home = Directory.CreateTempSubdirectory("weir-inspector-").FullName;
        try
        {
            var start = new ProcessStartInfo(NodeScript.Node22)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
            };
            string[] arguments =
            [
                Repository.PathOf("tests/clients/node_modules/.bin/mcp-inspector"), "--cli", url.ToString(), "--transport", "http",
                "--protocol-era", era, "--format", "json",
                "--header", $"Authorization: Bearer {weir.World.AgentKey}", .. command,
            ];
            foreach (var argument in arguments)
            {
                start.ArgumentList.Add(argument);
            }

            // It keeps a catalog and tokens in its user's home.
            start.Environment["HOME"] = home;
            using var process = Process.Start(start)!;
            using var timeout = new CancellationTokenSource(Timeout);
            var output = process.StandardOutput.ReadToEndAsync(timeout.Token);
            var errors = process.StandardError.ReadToEndAsync(timeout.Token);
            await process.WaitForExitAsync(timeout.Token);
            var isExpected = process.ExitCode == 0
                && JsonElement.Parse(await output).GetRawText().Contains(expected, StringComparison.Ordinal);
            return new ScenarioResult(name, [new Check(name, isExpected ? "SUCCESS" : "FAILURE", await output + await errors)]);
        }
        finally
        {
            Directory.Delete(home, recursive: true);
        }
    }
}
