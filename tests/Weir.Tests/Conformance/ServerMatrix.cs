using Weir.Tests.Fixtures.Conformance;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Conformance;

/// <summary>
/// The suite as a client of <c>/mcp/{instance}</c>, with the fixture server behind Weir: one row of the matrix. A cell's list of
/// failures lies in <c>expected</c>.
/// </summary>
public abstract class ServerMatrix(string requirements, RunningWeir weir, ITestOutputHelper output)
{
    [Theory]
    [InlineData(ServerEras.Dual)]
    [InlineData(ServerEras.Modern)]
    [InlineData(ServerEras.Legacy)]
    public async Task Through_weir_only_the_listed_scenarios_fail(ServerEras eras)
    {
        await using var server = await ConformanceServer.StartAsync(eras);
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}, "resources": ["*"], "prompts": ["*"]}""");
        using var relay = new AgentRelay(weir.Url.Port, weir.World.AgentKey);
        var started = TimeProvider.System.GetTimestamp();
        var results = await ConformanceSuite.ServerAsync(new Uri($"http://127.0.0.1:{relay.Port}/mcp/{name}"), requirements);
        output.WriteLine(
            $"{requirements} through Weir to {eras}: {results.Count(r => r.HasPassed)} of {results.Count} in "
                + $"{TimeProvider.System.GetElapsedTime(started).TotalSeconds:0.0} s");
        ExpectedFailures.Of($"server-{requirements}-{eras}").Check(results);
    }
}

/// <summary>A modern client.</summary>
public sealed class ModernClientTests(RunningWeir weir, ITestOutputHelper output) : ServerMatrix(
    ConformanceSuite.Modern, weir, output), IClassFixture<RunningWeir>;

/// <summary>A legacy client.</summary>
public sealed class LegacyClientTests(RunningWeir weir, ITestOutputHelper output) : ServerMatrix(
    ConformanceSuite.Legacy, weir, output), IClassFixture<RunningWeir>;
