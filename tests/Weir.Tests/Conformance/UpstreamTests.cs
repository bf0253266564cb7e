using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Conformance;

/// <summary>The suite's servers behind Weir: what Weir sends to a server, measured by the suite's client scenarios.</summary>
public sealed class UpstreamTests(RunningWeir weir, ITestOutputHelper output) : IClassFixture<RunningWeir>
{
    /// <summary>The suite starts all scenarios at once, and most are of OAuth, which is not measured here: they cost a shell.</summary>
    private const string WithoutAuth = "case $MCP_CONFORMANCE_SCENARIO in auth/*) exit 0;; esac;";

    [Theory]
    [InlineData(ConformanceSuite.Modern)]
    [InlineData(ConformanceSuite.Legacy)]
    public async Task As_a_client_weir_fails_only_the_listed_scenarios(string requirements)
    {
        await using var driver = await UpstreamDriver.StartAsync(weir);
        var started = TimeProvider.System.GetTimestamp();
        var results = await ConformanceSuite.ClientAsync(
            $"{WithoutAuth} {NodeScript.Node22} {Repository.PathOf("tests/clients/upstream.mjs")} {driver.Url}", requirements);
        output.WriteLine(
            $"{requirements} of Weir as a client: {results.Count(r => r.HasPassed)} of {results.Count} in "
                + $"{TimeProvider.System.GetElapsedTime(started).TotalSeconds:0.0} s");
        foreach (var error in driver.Errors)
        {
            output.WriteLine(error);
        }

        ExpectedFailures.Of($"client-{requirements}").Check(results);
    }
}
