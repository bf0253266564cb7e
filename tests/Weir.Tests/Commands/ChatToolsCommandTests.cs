using System.Text.Json;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Commands;

public sealed class ChatToolsCommandTests(TestDatabase database) : IClassFixture<TestDatabase>, IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-chat-tools-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task The_owner_switches_tools_off_and_on_for_everybody_and_nobody_else_does()
    {
        var organization = (await World.CreateAsync(database)).OrganizationId;
        foreach (var (state, isOn) in (IEnumerable<(string, bool)>)[("off", false), ("off", false), ("on", true)])
        {
            var (code, output, errors) = await SwitchAsync(state, database.OwnerUrl);

            code.ShouldBe(0, errors);
            output.Trim().ShouldBe($"Chat turns use tools: {state}.");
            (await HasToolsAsync(organization)).ShouldBe(isOn);
        }

        var refused = await SwitchAsync("off", database.EngineUrl);
        (refused.ExitCode, refused.Errors.Trim()).ShouldBe((1, "weir: This is not allowed."));
        (await HasToolsAsync(organization)).ShouldBeTrue();
    }

    private async Task<(int ExitCode, string Output, string Errors)> SwitchAsync(string state, string ownerUrl)
    {
        var file = Path.Combine(_directory, "weir.json");
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new { database = new { ownerUrl } }));
        return await RunningUp.RunAsync("chat-tools", state, "--config", file);
    }

    private Task<bool> HasToolsAsync(Guid organizationId) =>
        database.Superuser.ScalarAsync<bool>("select weir.chat_has_tools($1)", [Sql.Uuid(organizationId)], CancellationToken.None);
}
