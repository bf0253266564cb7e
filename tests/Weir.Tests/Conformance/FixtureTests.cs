using Weir.Tests.Fixtures.Conformance;

namespace Weir.Tests.Conformance;

/// <summary>The fixture server itself, without Weir: what it cannot do, no cell of the matrix can measure.</summary>
public sealed class FixtureTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(ConformanceSuite.Modern, ServerEras.Dual)]
    [InlineData(ConformanceSuite.Modern, ServerEras.Modern)]
    [InlineData(ConformanceSuite.Legacy, ServerEras.Dual)]
    [InlineData(ConformanceSuite.Legacy, ServerEras.Legacy)]
    public async Task The_fixture_server_passes_what_its_eras_are_asked_for(string requirements, ServerEras eras)
    {
        await using var server = await ConformanceServer.StartAsync(eras);
        var started = TimeProvider.System.GetTimestamp();
        var results = await ConformanceSuite.ServerAsync(server.Url, requirements);
        output.WriteLine(
            $"{requirements} against {eras}: {results.Count(r => r.HasPassed)} of {results.Count} in "
                + $"{TimeProvider.System.GetElapsedTime(started).TotalSeconds:0.0} s");
        ExpectedFailures.Of($"fixture-{requirements}").Check(results);
    }
}
