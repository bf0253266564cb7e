using System.Text.Json;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Commands;

public sealed class StopAllCommandTests(TestDatabase database) : IClassFixture<TestDatabase>, IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-stop-all-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task The_owner_stops_and_starts_all_calls_and_nobody_else_does()
    {
        foreach (var (command, words, isStopped) in (IEnumerable<(string, string, bool)>)[
            ("start-all", "Calls were admitted already.", false),
            ("stop-all", "All calls are stopped. Start them again with weir start-all.", true),
            ("stop-all", "All calls were stopped already.", true), ("start-all", "Calls are admitted again.", false)])
        {
            var (code, output, errors) = await RunAsync(command, database.OwnerUrl);

            code.ShouldBe(0, errors);
            output.Trim().ShouldBe(words);
            (await IsStoppedAsync()).ShouldBe(isStopped);
        }

        var refused = await RunAsync("stop-all", database.EngineUrl);
        (refused.ExitCode, refused.Errors.Trim()).ShouldBe((1, "weir: This is not allowed."));
        (await IsStoppedAsync()).ShouldBeFalse();
    }

    private async Task<(int ExitCode, string Output, string Errors)> RunAsync(string command, string ownerUrl)
    {
        var file = Path.Combine(_directory, "weir.json");
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new { database = new { ownerUrl } }));
        return await RunningUp.RunAsync(command, "--config", file);
    }

    private Task<bool> IsStoppedAsync() =>
        database.Superuser.ScalarAsync<bool>("select exists (select from weir.platform_stop)", [], CancellationToken.None);
}
